/**
 * Those who were let in by a certificate are put out when it no longer counts, whatever they are doing; and connections of
 * streams when the rules of now would not let them through.
 *
 * Revocations come from commands (the ledger in the state), from lists, and from reloads; dates pass by themselves; and
 * of a holder who was looked up in the directory, what it said last counts here too, and is asked again when it is old.
 * Only what was let in is asked again: who proved nothing has nothing to lose, and who was denied is being told so. Which
 * exchanges may go on by new rules, and in new groups, is looked after in forward/in-flight.ts.
 */
import { randomUUID } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { Config } from './config/schema.ts'
import type { Entered, Entrances } from './entrances.ts'
import type { Generation } from './generation.ts'
import type { House } from './house.ts'
import type { Answer } from './identity/answer.ts'
import { every } from './kernel/every.ts'
import { causeLine, Fault } from './kernel/fault.ts'
import { addressOf } from './listener/client-address.ts'
import { decideStream } from './policy/decide.ts'

/** Milliseconds between two looks at what commands have revoked. */
const ledgerLook = 1_000
/** Milliseconds between two looks at what has ended by itself: dates, accounts, what the directory said. */
const ownLook = 2_000
/** Milliseconds that WebSockets have to say goodbye, see forward/web-socket.ts. */
const goodbye = 3_000

export interface HolderWatch extends Disposable {
  /** Asks all of them now. */
  look(): void
}

export interface HolderWatchParts {
  readonly house: Pick<House, 'holders' | 'streaming' | 'inFlight' | 'ledger' | 'clock' | 'log' | 'note'>
  readonly entrances: Pick<Entrances, 'sockets'>
  readonly current: () => Pick<Generation, 'certificatesOf' | 'config'>
}

/** Titles of DICOM associations are not judged again: they are asked for at the beginning only. */
function isBarred({ streams }: Pick<Config, 'streams'>, stream: string, answer: Answer): boolean {
  const section = streams[stream]
  // A stream that was taken away lets what runs finish within its drain.
  if (section === undefined) return false
  const required = section.clients.certificate === 'required'
  return decideStream({ stream, access: section.access, required, answer }).outcome === 'deny'
}

/** Of a connection on a stream, when its certificate has been read. */
export function noteArrival(
  { holders, streaming }: Pick<House, 'holders' | 'streaming'>,
  config: Pick<Config, 'streams'>,
  stream: string,
  peer: object,
  answer: Answer,
): void {
  if (answer.kind === 'proven') holders.add(peer)
  if (!isBarred(config, stream, answer)) streaming.add(peer)
}

export function watchHolders({ house, entrances, current }: HolderWatchParts): HolderWatch {
  const { holders, streaming, inFlight, ledger, clock, log, note } = house

  function putOut(entrance: string, socket: TLSSocket, answer: Answer) {
    const address = addressOf(socket)
    if (answer.kind === 'refused') {
      const { reason, detail } = answer
      log.info({ entrance, address, reason, detail }, 'a connection was cut: its certificate no longer counts')
      void note(randomUUID(), { kind: 'certificate-refused', reason, detail, address })
    }
    holders.delete(socket)
    if (inFlight.endOver(socket)) setTimeout(() => socket.destroy(), goodbye).unref()
    else socket.destroy()
  }
  function lookAt({ kind, name, socket }: Entered) {
    const isHolder = holders.has(socket)
    if (!isHolder && !streaming.has(socket)) return
    const { certificatesOf, config } = current()
    const answer = certificatesOf(kind, name).known(socket, clock.now())
    // Undefined: a reload has brought another directory, which is being asked, and whose answer brings another look.
    if (answer === undefined) return
    if (isHolder && answer.kind !== 'proven') {
      putOut(name, socket, answer)
    } else if (streaming.has(socket) && isBarred(config, name, answer)) {
      streaming.delete(socket)
      log.info({ entrance: name }, 'a connection was cut: it would not be permitted now')
      socket.destroy()
    }
  }
  function look() {
    for (const entered of entrances.sockets()) {
      try {
        lookAt(entered)
      } catch (fault) {
        // A record that cannot be read now ends nothing, and keeps nobody else from being looked at; the next request
        // meets the same fault, and reports it.
        if (!(fault instanceof Fault)) throw fault
      }
    }
  }
  const looks = every(ownLook, look)
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
      looks[Symbol.dispose]()
      ledgers[Symbol.dispose]()
    },
  }
}
