/**
 * Those who were let in by a certificate are put out when it no longer counts, whatever they are doing.
 *
 * Revocations come from commands (the ledger in the state), from lists, and from reloads; dates pass by themselves; and
 * of a holder who was looked up in the directory, what it said last counts here too, and is asked again when it is old.
 * Only connections whose certificate was accepted are asked again: one that proved nothing has nothing to lose.
 */
import { randomUUID } from 'node:crypto'
import type { Entrances } from './entrances.ts'
import type { Generation } from './generation.ts'
import type { House } from './house.ts'
import { every } from './kernel/every.ts'
import { causeLine, Fault } from './kernel/fault.ts'
import { plainAddress } from './listener/client-address.ts'

/** Milliseconds between two looks at what commands have revoked. */
const ledgerLook = 1_000
/** Milliseconds between two looks at what has ended by itself. */
const dateLook = 30_000
/** Milliseconds between two looks at accounts, which commands lock, and at what the directory said. */
const accountLook = 2_000

export interface HolderWatch extends Disposable {
  /** Asks all of them now. */
  look(): void
}

export interface HolderWatchParts {
  readonly house: Pick<House, 'holders' | 'ledger' | 'clock' | 'log' | 'note'>
  readonly entrances: Pick<Entrances, 'sockets'>
  readonly current: () => Pick<Generation, 'certificatesOf' | 'looksUpHolders'>
}

export function watchHolders({ house, entrances, current }: HolderWatchParts): HolderWatch {
  const { holders, ledger, clock, log, note } = house
  function lookAtAll() {
    for (const { kind, name, socket } of entrances.sockets()) {
      if (!holders.has(socket)) continue
      const answer = current().certificatesOf(kind, name).known(socket, clock.now())
      // Undefined: a reload has brought another directory, which is being asked, and whose answer brings another look.
      if (answer === undefined || answer.kind === 'proven') continue
      const address = plainAddress(socket.remoteAddress)
      if (answer.kind === 'refused') {
        const { reason, detail } = answer
        log.info({ entrance: name, address, reason, detail }, 'a connection was cut: its certificate no longer counts')
        void note(randomUUID(), { kind: 'certificate-refused', reason, detail, address })
      }
      socket.destroy()
    }
  }
  function look() {
    try {
      lookAtAll()
    } catch (fault) {
      // Records that cannot be read now end nothing; the next request meets the same fault, and reports it.
      if (!(fault instanceof Fault)) throw fault
    }
  }
  const dates = every(dateLook, look)
  const accounts = every(accountLook, () => {
    if (current().looksUpHolders) look()
  })
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
      accounts[Symbol.dispose]()
      ledgers[Symbol.dispose]()
    },
  }
}
