/**
 * Floor, keystore and truststore -> options of a node:tls server.
 *
 * Where client certificates are asked for there is no resumption: a ticket carries a verdict of the past, and a
 * replayed one must give a full handshake. Source: CVE-2025-23419 and its kin; nodejs/node#35317.
 */
import { constants } from 'node:crypto'
import type { TlsOptions } from 'node:tls'
import type { ClientsSection } from '../config/clients.ts'
import type { Keystore } from './keystore.ts'
import type { EffectiveTerms } from './protocol-floor.ts'
import type { Truststore } from './truststore.ts'

export interface ServerTrust {
  readonly terms: EffectiveTerms
  readonly keystore: Keystore
  readonly clients: ClientsSection['certificate']
  /** Undefined only where clients is 'none'. */
  readonly truststore: Truststore | undefined
}

export function serverTlsOptions({ terms, keystore, clients, truststore }: ServerTrust): TlsOptions {
  const asks = clients !== 'none'
  return {
    ...keystore.options,
    minVersion: terms.minimum,
    maxVersion: terms.maximum,
    ciphers: terms.ciphers,
    ecdhCurve: terms.groups.join(':'),
    // A refused certificate is told on a page, or proves nothing: the verdict is read after the handshake.
    requestCert: asks,
    rejectUnauthorized: false,
    ...(asks && truststore !== undefined ? { ca: [...truststore.anchors] } : {}),
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (asks ? constants.SSL_OP_NO_TICKET : 0),
  }
}
