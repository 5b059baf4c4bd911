/**
 * The keys of session tickets: one secret for all processes of a gateway, and keys of their own for each entrance and its
 * terms.
 *
 * So a ticket counts in every worker, and after a reload that changed nothing of the handshake; one of another entrance, or of
 * other terms, cannot be read and gives a full handshake. The secret is in memory only. What an older one has sealed cannot be
 * read any more: whoever finds the secret opens half a day of TLS 1.2 at most. Source: RFC 5077 5.5, RFC 8446 C.4; Node makes
 * keys once for each context and never changes them.
 */
import { createHash, hkdfSync, randomBytes } from 'node:crypto'
import { every } from '../kernel/every.ts'
import { type ServerTrust, trustKey } from './server-context.ts'

export interface TicketSecret {
  /** Another one is another buffer. */
  readonly current: Buffer
}

/** Milliseconds. */
const secretAge = 12 * 3_600_000

/** @param changed  told of each new secret */
export function createTicketSecret(changed?: (secret: Buffer) => void): TicketSecret & Disposable {
  let current = randomBytes(48)
  const timer = every(secretAge, () => {
    current = randomBytes(48)
    changed?.(current)
  })
  return {
    get current() {
      return current
    },
    [Symbol.dispose]: () => timer[Symbol.dispose](),
  }
}

/** @param entrance  which one of the gateway: `listener web` */
export const ticketKeys = ({ current }: TicketSecret, entrance: string, trust: ServerTrust): Buffer => {
  const use = createHash('sha256').update(JSON.stringify([entrance, trustKey(trust)]))
  return Buffer.from(hkdfSync('sha256', current, '', use.digest(), 48))
}
