/**
 * omero.glacier2.IceSSL.*: TLS of OMERO's own clients, as a hint. It stays where it is, or a stream takes it over.
 *
 * Source: omero-certificates (which keys, what they mean); zeroc-ice IceSSL (Protocols, relative files).
 */
import { posix } from 'node:path'
import { quoted, type Tell } from './decision.ts'
import type { OmeroSettings } from './omero-property.ts'

const prefix = 'omero.glacier2.IceSSL.'

export function tellIceSsl(settings: OmeroSettings, tell: Tell): void {
  const written = settings.unread().filter(key => key.startsWith(prefix))
  const [first] = written
  if (first === undefined) return
  for (const key of written) settings.has(key)
  const text = (last: string) => settings.text(`${prefix}${last}`) || undefined
  const file = text('CertFile')
  const certificate = file === undefined ? undefined : posix.join(text('DefaultDir') ?? '', file)
  const parts = [
    'bind: "0.0.0.0:4064", protocol: raw, upstream: "tcp://127.0.0.1:4063"',
    termsOf(text('Protocols'), text('Ciphers')),
    `keystore: { certificate: ${certificate === undefined ? 'certs/server.p12' : quoted(certificate)}, password: { file: secrets/glacier2 } }`,
    'access: everyone',
  ].filter(part => part !== '')
  tell(
    'decide',
    { ...settings.place(first), option: 'omero.glacier2.IceSSL' },
    `is TLS for OMERO's own clients, on 4064: ${namesOf(written)}. It stays there, with files of "sallyport certs omero", or TLS ends at the gate: streams: { glacier2: { ${parts.join(', ')} } }`,
  )
  if (/a?(?:DH|NULL)\b/.test(text('Ciphers') ?? '') && !/!a?(?:DH|NULL)/.test(text('Ciphers') ?? ''))
    tell(
      'decide',
      settings.place(`${prefix}Ciphers`),
      'switches on suites without a certificate, which are refused here: clients need IceSSL.Ciphers=HIGH',
    )
}

/** Without what stands before them all. */
const namesOf = (keys: readonly string[]) => keys.map(key => quoted(key.slice(prefix.length))).join(', ')

function termsOf(protocols: string | undefined, ciphers: string | undefined): string {
  const versions = (protocols ?? '').split(/[\s,]+/).filter(one => one !== '')
  const minimum = versions.some(one => /^TLSV?1_2$/i.test(one))
    ? 'tls1_2'
    : versions.some(one => /^TLSV?1_3$/i.test(one))
      ? 'tls1_3'
      : undefined
  const terms = [
    ...(minimum === undefined ? [] : [`minimum: ${minimum}`]),
    ...(ciphers === undefined ? [] : [`ciphers: ${quoted(ciphers)}`]),
  ]
  return terms.length === 0 ? '' : `tls: { ${terms.join(', ')} }`
}
