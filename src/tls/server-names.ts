/**
 * Which of our certificates a name is shown: the one that carries it, or covers it by a wildcard, else the first.
 *
 * Names are compared in lower case and without a dot at the end. All keystores of a listener share one policy, so an
 * unknown name gets the default certificate and never laxer terms. Source: RFC 6066 3, RFC 6125 6.4.3, RFC 9525 6.3.
 */
import 'reflect-metadata'
import type { X509Certificate } from 'node:crypto'
import { X509Certificate as ParsedCertificate, SubjectAlternativeNameExtension } from '@peculiar/x509'
import { memo } from '../kernel/memo.ts'
import type { Keystore } from './keystore.ts'

/** DNS names and IP addresses, in lower case; where there are none, the common names. */
export function namesOf(certificate: Pick<X509Certificate, 'raw'>): readonly string[] {
  const parsed = new ParsedCertificate(new Uint8Array(certificate.raw))
  const alternative = (parsed.getExtension(SubjectAlternativeNameExtension)?.names.items ?? [])
    .filter(({ type }) => type === 'dns' || type === 'ip')
    .map(({ value }) => value)
  return (alternative.length > 0 ? alternative : parsed.subjectName.getField('CN')).map(plainName)
}

const plainName = (name: string): string => name.toLowerCase().replace(/\.$/, '')

const covers = (pattern: string, name: string): boolean => {
  if (!pattern.startsWith('*.')) return false
  const [first = '', ...rest] = name.split('.')
  return first !== '' && rest.length > 1 && rest.join('.') === pattern.slice(2)
}

export type SelectKeystore = (name: string | undefined) => Keystore | undefined

/** @returns undefined only where there is no keystore at all */
export function createSelection(keystores: readonly Keystore[]): SelectKeystore {
  const exact = new Map<string, Keystore>()
  const wildcards: { pattern: string; keystore: Keystore }[] = []
  for (const keystore of keystores) {
    for (const name of namesOf(keystore.certificate)) {
      if (name.startsWith('*.')) wildcards.push({ pattern: name, keystore })
      else if (!exact.has(name)) exact.set(name, keystore)
    }
  }
  const chosen = memo((asked: string) => {
    const name = plainName(asked)
    return exact.get(name) ?? wildcards.find(({ pattern }) => covers(pattern, name))?.keystore ?? keystores[0]
  }, 255)
  return asked => (asked === undefined ? keystores[0] : chosen(asked))
}
