/**
 * Orthanc's web server as a listener with TLS in front of it: address, certificate, terms, client certificates.
 *
 * An Orthanc that spoke TLS gives its port to the gateway, so that the addresses which peers and people know stay right,
 * and moves aside itself; one that did not keeps its port.
 *
 * Source: OrthancServer Resources/Configuration.json and Sources/main.cpp (HttpPort ff., Ssl…).
 */
import { isIP } from 'node:net'
import type { Tell } from './decision.ts'
import { quoted } from './decision.ts'
import { type DraftMap, remarked } from './draft.ts'
import type { JsonNode } from './jsonc.ts'
import type { Section } from './orthanc-section.ts'
import { ciphersOf, minimumOf, webTerms } from './orthanc-terms.ts'

export interface Front {
  readonly listener: DraftMap
  /** Where Orthanc itself is to be found. */
  readonly upstreamUrl: string
  readonly asksForCertificates: boolean
  readonly isServed: boolean
}

/** Where an Orthanc goes whose port the gateway takes. */
export const movedPort = (port: number): number => (port + 10_000 <= 65_535 ? port + 10_000 : port - 10_000)

export function portOf(settings: Section, key: string, absent: number, tell: Tell): number {
  const port = settings.whole(key) ?? absent
  if (port >= 1 && port <= 65_535) return port
  tell('problem', settings.place(key), `is no port; the draft takes ${absent}`)
  return absent
}

const isEverywhere = (address: string) => address === '0.0.0.0' || address === '::'
const isLoopback = (address: string) => address.startsWith('127.') || address === '::1'
const inUrl = (address: string) => (isIP(address) === 6 ? `[${address}]` : address)

const isListed = (node: JsonNode | undefined) => Array.isArray(node?.value) && node.value.length > 0

function addressesOf(settings: Section, tell: Tell): readonly string[] {
  const addresses = settings.texts('HttpBindAddresses') ?? []
  return addresses.filter(address => {
    if (isIP(address) !== 0) return true
    tell('decide', settings.place('HttpBindAddresses'), `${quoted(address)} is no IP address; bind wants one`)
    return false
  })
}

export function drawFront(settings: Section, tell: Tell): Front {
  const isServed = settings.flag('HttpServerEnabled', true)
  const hadTls = settings.flag('SslEnabled', false)
  const port = portOf(settings, 'HttpPort', 8042, tell)
  const addresses = addressesOf(settings, tell)
  const ownPort = hadTls ? movedPort(port) : port
  // Where addresses are written and none can be taken over, the draft opens none.
  const isLost = addresses.length === 0 && isListed(settings.node('HttpBindAddresses'))
  const bound = addresses.length > 0 ? addresses : [isLost ? '127.0.0.1' : '0.0.0.0']

  if (!isServed)
    tell(
      'decide',
      settings.place('HttpServerEnabled'),
      'is false: Orthanc answers no HTTP, and the listener of the draft leads nowhere',
    )
  if (hadTls) {
    tell(
      'change',
      settings.place('SslEnabled'),
      `set SslEnabled to false and HttpPort to ${ownPort}: TLS ends at the gateway, which takes port ${port}, so that https addresses stay as they are`,
    )
  } else {
    tell(
      'decide',
      settings.place('HttpPort'),
      `Orthanc keeps port ${port} without TLS; the gateway listens on 8443: who shall come through the gate must be told`,
    )
  }
  const local = hadTls || bound.some(address => isEverywhere(address) || isLoopback(address))
  if ((isLost || !bound.every(isLoopback)) && isServed) {
    tell(
      'change',
      settings.place('HttpBindAddresses'),
      'set it to [ "127.0.0.1" ] where this Orthanc knows that option, else close its port to others in the firewall: nobody should get past the gate',
    )
  }
  const asksForCertificates = settings.flag('SslVerifyPeers', false)
  return {
    listener: {
      bind: hadTls
        ? remarked(
            bound.length === 1 ? `${inUrl(bound[0] ?? '')}:${port}` : bound.map(one => `${inUrl(one)}:${port}`),
            'HttpPort',
          )
        : '0.0.0.0:8443',
      tls: termsOf(settings, hadTls, tell),
      keystore: keystoreOf(settings, hadTls, tell),
      clients: clientsOf(settings, hadTls, asksForCertificates, tell),
    },
    upstreamUrl: `http://${local ? '127.0.0.1' : inUrl(bound[0] ?? '127.0.0.1')}:${ownPort}`,
    asksForCertificates,
    isServed,
  }
}

/** Options that are only read where SslEnabled is true; Debian's file has them all, switched off. */
function termsOf(settings: Section, hadTls: boolean, tell: Tell): DraftMap | undefined {
  if (!hadTls) {
    for (const key of [webTerms.minimum, webTerms.ciphers])
      if (settings.has(key))
        tell(
          'note',
          settings.place(key),
          'is not used by Orthanc, as SslEnabled is false; the draft takes the terms of its floor',
        )
    return undefined
  }
  const minimum = minimumOf(settings, webTerms.minimum, tell)
  const ciphers = ciphersOf(settings, webTerms.ciphers, settings.whole(webTerms.minimum) === 5, tell)
  if (ciphers === undefined && minimum === undefined) return undefined
  return { minimum, ciphers }
}

function keystoreOf(settings: Section, hadTls: boolean, tell: Tell): DraftMap {
  const place = settings.place('SslCertificate')
  if (!hadTls) {
    if (settings.has('SslCertificate')) tell('note', place, 'is not used by Orthanc, as SslEnabled is false')
    tell(
      'decide',
      settings.place('SslEnabled'),
      'the gateway needs a certificate: "sallyport certs authority", then "sallyport certs server NAME" make what the draft names',
    )
    return { certificate: 'certs/server.pem', key: 'certs/server.key' }
  }
  const certificate = settings.path('SslCertificate')
  if (certificate === undefined)
    tell('decide', place, 'is not written; Orthanc then takes certificate.pem, and the draft names one of ours')
  return {
    certificate: remarked(
      certificate ?? 'certs/server.pem',
      'SslCertificate: key and certificate in one file, in either order',
    ),
  }
}

function clientsOf(settings: Section, hadTls: boolean, asked: boolean, tell: Tell): DraftMap | undefined {
  const place = settings.place('SslTrustedClientCertificates')
  if (!asked) {
    if (settings.has('SslTrustedClientCertificates'))
      tell(
        'note',
        place,
        'is not used by Orthanc, as SslVerifyPeers is false; people and peers may get certificates all the same: clients: { certificate: optional, truststore: FILE }',
      )
    return undefined
  }
  if (!hadTls)
    tell(
      'note',
      settings.place('SslVerifyPeers'),
      'is true, but SslEnabled is not: Orthanc itself never asked for a certificate, and the draft does',
    )
  else tell('change', settings.place('SslVerifyPeers'), 'set it to false: the gateway asks for the certificates now')
  const truststore = settings.path('SslTrustedClientCertificates')
  if (truststore === undefined)
    tell(
      'decide',
      place,
      'is not written; Orthanc then takes trustedClientCertificates.pem (older ones trustedCertificates.pem); put the file where the draft says',
    )
  return {
    certificate: remarked('required', 'SslVerifyPeers'),
    truststore: remarked(
      truststore ?? 'certs/trusted-clients.pem',
      'SslTrustedClientCertificates: single certificates and authorities, mixed',
    ),
  }
}
