/**
 * omero.ldap.urls: which servers are asked, from where in the tree, and how they are trusted over TLS.
 *
 * OMERO takes a DN behind the address for the root, the same in all of them, and then has omero.ldap.base in its place
 * whatever the addresses say. Java keeps certificates in stores of its own, which nobody else reads.
 *
 * Not to forget: `tls` goes with encrypted addresses only, so that a list of both kinds can have none.
 *
 * Source: Spring Security DefaultSpringSecurityContextSource (blanks part the addresses, roots must be equal),
 * omero-server service-ome.api.ILdap.xml (base overrides).
 */
import { unescape as decoded } from 'node:querystring'
import { quoted, type Tell } from './decision.ts'
import { type DraftMap, type DraftValue, remarked } from './draft.ts'
import type { OmeroSettings } from './omero-property.ts'
import { shellWord } from './shell-word.ts'

const key = 'omero.ldap.urls'

export interface Servers {
  /** Undefined: what both have where nothing is written. */
  readonly urls: DraftValue | undefined
  readonly tls: DraftMap | undefined
  /** The DN behind the addresses. */
  readonly root: string | undefined
}

interface Address {
  readonly url: string
  readonly host: string
  readonly root: string
}

/** Bytes to these never leave the machine. */
const isLoopback = (host: string) => /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/i.test(host)

const isEncrypted = ({ url }: Address) => url.startsWith('ldaps:')

function addressIn(written: string): Address | undefined {
  const [, scheme = '', authority = '', path = ''] = /^(ldaps?):\/\/([^/?#@\\]+)(?:\/([^?#]*))?$/i.exec(written) ?? []
  const url = `${scheme.toLowerCase()}://${authority}`
  if (authority === '' || /[\p{Cc}]/u.test(authority) || !URL.canParse(url)) return undefined
  const { hostname } = new URL(url)
  if (hostname === '') return undefined
  const root = decoded(path)
  return root.includes('\ufffd') ? undefined : { url, host: hostname, root }
}

export function drawServers(settings: OmeroSettings, tell: Tell): Servers {
  const place = settings.place(key)
  const written = settings.text(key) ?? 'ldap://localhost:389'
  const words = written.split(/\s+/).filter(word => word !== '')
  const addresses = words.flatMap(word => addressIn(word) ?? [])
  if (addresses.length < words.length || words.length === 0) {
    settings.makeUnclear(key)
    tell(
      'problem',
      place,
      'holds what is no address of a directory: ldap://host:389 or ldaps://host:636, several with blanks between them, without user or query',
    )
  }
  const [root = '', ...others] = new Set(addresses.map(one => one.root))
  if (others.length > 0) {
    if (!settings.has('omero.ldap.base')) settings.makeUnclear(key)
    tell(
      'problem',
      place,
      'has several DNs behind its addresses; OMERO wants the same in all of them and does not start',
    )
  }
  const inClear = [...new Set(addresses.filter(one => !isEncrypted(one) && !isLoopback(one.host)).map(one => one.host))]
  if (inClear.length > 0)
    tell(
      'decide',
      place,
      `passwords travel in clear to ${inClear.map(quoted).join(', ')}: write ldaps:// in urls, or startTls: true beside them, with tls: { ca: FILE } for an authority of your own`,
    )
  const urls = [...new Set(addresses.map(one => one.url))]
  const isDefault = urls.length === 0 || (urls.length === 1 && urls[0] === 'ldap://localhost:389')
  return {
    urls: isDefault ? undefined : remarked(urls, key),
    tls: trustIn(settings, addresses, tell),
    root: others.length > 0 || root === '' ? undefined : root,
  }
}

/** OMERO hands both stores to Java as a whole; for the directory they are whom it trusts, and its own certificate. */
function trustIn(settings: OmeroSettings, addresses: readonly Address[], tell: Tell): DraftMap | undefined {
  const encrypted = addresses.filter(isEncrypted)
  const isOn = encrypted.length > 0 && encrypted.length === addresses.length
  const ca = authorityIn(settings, isOn, tell)
  const own = certificateIn(settings, isOn, tell)
  if (encrypted.length > 0 && !isOn)
    tell(
      'decide',
      settings.place(key),
      'holds encrypted addresses and others; tls goes with a list of ldaps:// only. Write one kind',
    )
  if (encrypted.length > 0 && ca === undefined)
    tell(
      'note',
      settings.place(key),
      "is trusted by the platform's authorities, as OMERO trusted those of Java; an authority that was added to Java's cacerts goes into a file: tls: { ca: FILE }",
    )
  return isOn && (ca !== undefined || own !== undefined) ? { ca, ...own } : undefined
}

const trustStore = 'omero.security.trustStore'
const keyStore = 'omero.security.keyStore'

/** Where the store lies, for a command; undefined where none is named. */
function storeIn(settings: OmeroSettings, option: string): string | undefined {
  const store = settings.text(option)
  if (store === '') return undefined
  return store === undefined && !settings.isUnclear(option) ? undefined : shellWord(store ?? '\n', 'STORE')
}

function authorityIn(settings: OmeroSettings, isOn: boolean, tell: Tell): DraftValue | undefined {
  tellPassword(settings, `${trustStore}Password`, tell)
  const store = storeIn(settings, trustStore)
  if (store === undefined) return undefined
  const command = `keytool -list -rfc -keystore ${store} > certs/ldap-ca.pem`
  if (!isOn) {
    tell(
      'note',
      settings.place(trustStore),
      `is a store of Java for encrypted addresses, which the draft has not, or not only. Once it has: ${command}   and tls: { ca: certs/ldap-ca.pem }`,
    )
    return undefined
  }
  tell(
    'decide',
    settings.place(trustStore),
    `is a store of Java; ${command}   makes of it the file that the draft names`,
  )
  return remarked('certs/ldap-ca.pem', trustStore)
}

function certificateIn(settings: OmeroSettings, isOn: boolean, tell: Tell): DraftMap | undefined {
  tellPassword(settings, `${keyStore}Password`, tell)
  const store = storeIn(settings, keyStore)
  if (store === undefined) return undefined
  if (!isOn) {
    tell('note', settings.place(keyStore), 'is a store of Java for encrypted addresses, and left out')
    return undefined
  }
  tell(
    'decide',
    settings.place(keyStore),
    `is a store of Java with the certificate that OMERO shows to a directory that asks for one. Where it asks: keytool -importkeystore -srckeystore ${store} -destkeystore ldap-client.p12 -deststoretype PKCS12, then openssl pkcs12 -in ldap-client.p12 -clcerts -nokeys -out certs/ldap-client.pem, and openssl pkcs12 -in ldap-client.p12 -nocerts -noenc -out certs/ldap-client.key (umask 077). Where it does not, take certificate and key out of the draft`,
  )
  return {
    certificate: remarked('certs/ldap-client.pem', keyStore),
    key: remarked('certs/ldap-client.key', keyStore),
  }
}

function tellPassword(settings: OmeroSettings, option: string, tell: Tell): void {
  if (settings.secret(option) === 'written' || settings.secret(option) === 'masked')
    tell('note', settings.place(option), 'opens a store of Java: keytool asks for it, and the draft has no use for it')
}
