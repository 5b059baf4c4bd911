/**
 * Floor, keystores and truststore -> options of a node:tls server.
 *
 * Where client certificates are asked for there is no resumption: a ticket carries a verdict of the past, and a
 * replayed one must give a full handshake. Nor is there where names choose between certificates: a resumed TLS 1.3
 * session does not tell its name. Source: CVE-2025-23419 and its kin; nodejs/node#28985, #35317.
 */
import { constants } from 'node:crypto'
import { createSecureContext, type SecureContext, type TlsOptions } from 'node:tls'
import type { ClientsSection } from '../config/clients.ts'
import type { TrustOnly } from '../config/trust-only.ts'
import type { Keystore } from './keystore.ts'
import { type EffectiveTerms, termsFlags, termsOptions } from './protocol-floor.ts'
import { createSelection, type SelectKeystore } from './server-names.ts'
import type { Truststore } from './truststore.ts'

export interface ServerTrust {
  readonly terms: EffectiveTerms
  /** The first is shown to unknown names. Empty: none has been issued yet, and every handshake fails. */
  readonly keystores: readonly Keystore[]
  readonly select: SelectKeystore
  readonly clients: ClientsSection['certificate']
  /** Undefined only where clients is 'none'. */
  readonly truststore: Truststore | undefined
  /** Certificates in a client's chain, its own included; 0: no limit. */
  readonly depth: number
  readonly only: TrustOnly | undefined
}

export const serverTrust = (parts: Omit<ServerTrust, 'select'>): ServerTrust => ({
  ...parts,
  select: createSelection(parts.keystores),
})

/** Equal for terms that are the same to the last byte. In memory only: it holds keys. */
export const trustKey = ({ terms, keystores, clients, truststore, depth, only }: ServerTrust): string =>
  JSON.stringify([terms, keystores.map(({ options }) => options), clients, truststore?.pem, depth, only])

/** @returns why OpenSSL would not make a server of these terms and keys; undefined: it would */
export function unusable(trust: ServerTrust): { readonly at: number; readonly why: string } | undefined {
  for (const [at, { options }] of trust.keystores.entries()) {
    try {
      createSecureContext({ ...serverTlsOptions(trust), ...options })
    } catch (cause) {
      return { at, why: cause instanceof Error ? cause.message : String(cause) }
    }
  }
  return undefined
}

/** Whether a session may be taken up again. */
export const resumes = ({ terms, keystores, clients }: Pick<ServerTrust, 'terms' | 'keystores' | 'clients'>): boolean =>
  terms.resumption && clients === 'none' && keystores.length < 2

export function serverTlsOptions(trust: ServerTrust): TlsOptions {
  const { terms, keystores, select, clients, truststore } = trust
  const asks = clients !== 'none'
  const shared = {
    ...termsOptions(terms),
    ...(asks && truststore !== undefined ? { ca: [...truststore.anchors] } : {}),
    secureOptions:
      termsFlags(terms) | constants.SSL_OP_NO_RENEGOTIATION | (resumes(trust) ? 0 : constants.SSL_OP_NO_TICKET),
  }
  const contexts = new Map<Keystore, SecureContext>()
  if (keystores.length > 1)
    for (const keystore of keystores) contexts.set(keystore, createSecureContext({ ...shared, ...keystore.options }))
  return {
    ...keystores[0]?.options,
    ...shared,
    requestCert: asks,
    rejectUnauthorized: false, // presented.ts reads the verdict after the handshake, so that a page can tell of it
    ...(contexts.size === 0
      ? {}
      : {
          SNICallback(name, answer) {
            const chosen = select(name)
            answer(null, chosen === undefined ? undefined : contexts.get(chosen))
          },
        }),
  }
}
