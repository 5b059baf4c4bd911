/**
 * A listener, as written: where it binds and on which terms. A plain listener only redirects to another one.
 */
import { z } from 'zod'
import { clientsSection } from './clients.ts'
import { type KeystoreSection, keystoreSection } from './keystore.ts'
import { Bind, ByteSize, Duration, type FileScalars, HttpsOrigin, Name, oneOrMore } from './scalars.ts'
import { Terms } from './terms.ts'

export const ProxyProtocol = z
  .enum(['none', 'v2'], { error: 'write none, or v2: the binary header; version 1 (text) is not read' })
  .meta({
    description:
      'none when absent. v2: each connection comes from one of trustedProxies and begins with a PROXY header, before TLS; never guessed',
  })

export const connectionsText =
  'At one time, after their handshake. When all are taken, one without a request under way makes room for a newcomer; a quarter as many more may be in their handshake'
export const perAddressText =
  'How many of them may come from one IPv4 address or IPv6 /64: half when absent. trustedProxies have all'

/** What one client may cost. Every default is a span in which an honest client on a poor line gets by. */
export const Limits = z.strictObject({
  handshake: Duration.default(10_000),
  /** From the first byte of a request to the end of its head. */
  headers: Duration.default(20_000),
  headerSize: ByteSize.default(64 * 1024).meta({
    description: 'All headers together; long DICOMweb queries fit in 64 KB',
  }),
  headerCount: z.int().min(20).max(2000).default(200),
  /** A connection without a request is closed after this. */
  keepAlive: Duration.default(75_000),
  /** No byte either way for so long ends an exchange. */
  idle: Duration.default(120_000),
  /** Bytes a second that a request or answer body must make on average once `idle` has passed; 0 turns it off. */
  minimumRate: ByteSize.default(256),
  /** At one time, on all addresses of the listener together. */
  connections: z.int().min(1).default(10_000).meta({ description: connectionsText }),
  connectionsPerAddress: z.int().min(1).optional().meta({ description: perAddressText }),
  /** HTTP/2 streams at one time on a connection: OHIF asks for up to 200. */
  streams: z.int().min(1).max(1000).default(200),
})

export type Limits = z.output<typeof Limits>

interface Bound {
  readonly bind: z.output<typeof Bind>
}

export interface PlainListener extends Bound {
  readonly kind: 'plain'
  readonly redirect: string
}

export interface SecureListener extends Bound {
  readonly kind: 'secure'
  readonly publicUrl: URL | undefined
  readonly proxyProtocol: z.output<typeof ProxyProtocol>
  readonly tls: Terms
  /** The first is shown to unknown names; the others to the names that they carry. */
  readonly keystores: readonly KeystoreSection[]
  readonly clients: z.output<ReturnType<typeof clientsSection>>
  readonly limits: Limits
}

export const listenerSection = (scalars: FileScalars) =>
  z
    .strictObject({
      bind: Bind,
      redirect: Name.optional(),
      publicUrl: HttpsOrigin.optional(),
      proxyProtocol: ProxyProtocol.optional(),
      tls: Terms.optional(),
      keystore: oneOrMore(keystoreSection(scalars)).optional(),
      clients: clientsSection(scalars).optional(),
      limits: Limits.optional(),
    })
    .transform((listener, context): PlainListener | SecureListener => {
      const { bind, redirect, publicUrl, proxyProtocol, tls, keystore, clients, limits } = listener
      if (redirect !== undefined) {
        for (const key of ['publicUrl', 'proxyProtocol', 'tls', 'keystore', 'clients', 'limits'] as const) {
          if (listener[key] === undefined) continue
          context.addIssue({
            code: 'custom',
            path: [key],
            message: `a plain listener only redirects; "${key}" belongs to a listener with TLS`,
          })
        }
        return { kind: 'plain', bind, redirect }
      }
      if (keystore === undefined) {
        context.addIssue({
          code: 'custom',
          path: ['keystore'],
          message:
            'a listener needs a keystore (its certificate and key), or redirect: NAME if it only sends people to https',
        })
        return z.NEVER
      }
      return {
        kind: 'secure',
        bind,
        publicUrl,
        proxyProtocol: proxyProtocol ?? 'none',
        tls: tls ?? Terms.parse({}),
        keystores: keystore,
        clients: clients ?? { certificate: 'none', depth: 0 },
        limits: limits ?? Limits.parse({}),
      }
    })
