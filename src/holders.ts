/**
 * Those who were let in by a certificate are put out when it no longer counts, whatever they are doing.
 *
 * Revocations come from commands (the ledger in the state), from lists, and from reloads; dates pass by themselves. Only
 * connections whose certificate was accepted are asked again: one that proved nothing has nothing to lose.
 */
import { randomUUID } from 'node:crypto'
import type { AuditEvent } from './audit/event.ts'
import type { Entrances } from './entrances.ts'
import type { Generation } from './generation.ts'
import type { House } from './house.ts'
import { every } from './kernel/every.ts'
import { causeLine } from './kernel/fault.ts'
import { plainAddress } from './listener/client-address.ts'

/** Milliseconds between two looks at what commands have revoked. */
const ledgerLook = 1_000
/** Milliseconds between two looks at what has ended by itself. */
const dateLook = 30_000

export interface HolderWatch extends Disposable {
  /** Asks all of them now. */
  look(): void
}

export interface HolderWatchParts {
  readonly house: Pick<House, 'holders' | 'ledger' | 'clock' | 'log'>
  readonly entrances: Pick<Entrances, 'sockets'>
  readonly current: () => Pick<Generation, 'certificatesOf'>
  readonly note: (id: string, event: AuditEvent) => Promise<void>
}

export function watchHolders({ house, entrances, current, note }: HolderWatchParts): HolderWatch {
  const { holders, ledger, clock, log } = house
  function look() {
    for (const { kind, name, socket } of entrances.sockets()) {
      if (!holders.has(socket)) continue
      const answer = current().certificatesOf(kind, name)(socket, clock.now())
      if (answer.kind === 'proven') continue
      const address = plainAddress(socket.remoteAddress)
      if (answer.kind === 'refused') {
        const { reason, detail } = answer
        log.info({ entrance: name, address, reason, detail }, 'a connection was cut: its certificate no longer counts')
        void note(randomUUID(), { kind: 'certificate-refused', reason, detail, address })
      }
      socket.destroy()
    }
  }
  const dates = every(dateLook, look)
  const ledgers = every(ledgerLook, () => {
    try {
      if (ledger.poll()) look()
    } catch (cause) {
      // What was known goes on to count; the alarm is raised, and the next look comes in a second.
      log.error({ cause: causeLine(cause) }, 'what was revoked cannot be read')
    }
  })
  return {
    look,
    [Symbol.dispose]() {
      dates[Symbol.dispose]()
      ledgers[Symbol.dispose]()
    },
  }
}
