/**
 * Whether terms and keys go together: a level may be too high for a key, and a suite may want a key of another kind.
 *
 * It opens nothing and holds no key longer than OpenSSL needs to look at it.
 */
import { createSecureContext } from 'node:tls'
import { protocolText } from '../config/protocol.ts'
import type { Keystore } from './keystore.ts'
import { type EffectiveTerms, type Report, termsOptions } from './protocol-floor.ts'
import { isTls13, type SigningKey, signingKeyOf } from './suites.ts'

type Pair = Pick<Keystore, 'options' | 'certificate'>

export const signingKey = ({ certificate }: Pick<Keystore, 'certificate'>): SigningKey =>
  certificate.publicKey.asymmetricKeyType?.startsWith('rsa') === true ? 'RSA' : 'ECDSA'

/** Reports under the keys of `tls:`. Without keystores (none issued yet) there is nothing to say. */
export function inspectKeys(terms: EffectiveTerms, keystores: readonly Pair[], report: Report): void {
  for (const keystore of keystores) {
    const refusal = refusalOf(terms, keystore)
    if (refusal !== undefined) report('ciphers', refusal)
  }
  const kinds = new Set(keystores.map(signingKey))
  const older = terms.suites.filter(suite => !isTls13(suite))
  const usable = older.some(suite => kinds.has(signingKeyOf(suite) ?? 'RSA'))
  if (kinds.size > 0 && older.length > 0 && !usable)
    report(
      'ciphers',
      `no suite for ${protocolText(terms.minimum)} can be had with ${[...kinds].join(' and ')} keys; name others, use another key, or write minimum: 1.3`,
    )
}

/** What OpenSSL says against this key on these terms. It read the same key before, on no terms: the level is the cause. */
function refusalOf(terms: EffectiveTerms, { options, certificate }: Pair): string | undefined {
  try {
    createSecureContext({ ...termsOptions(terms), ...options })
    return undefined
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
    const subject = certificate.subject.replaceAll('\n', ', ')
    const why =
      { ERR_SSL_EE_KEY_TOO_SMALL: 'the key is too short', ERR_SSL_CA_MD_TOO_WEAK: 'the signature is too weak' }[code] ??
      `OpenSSL refuses it (${code})`
    return `the security level of these ciphers is not for the certificate ${subject}: ${why}; leave @SECLEVEL out, or issue another`
  }
}
