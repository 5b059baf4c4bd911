/**
 * What runs for somebody is held to what holds now, not only to what held when it began.
 *
 * Once a second, and at each reload, everybody who has something running is looked at: who they are now, in which groups,
 * and whether the rules of now would let them through. Traffic under way counts as use of the session. Not to forget:
 * commands change accounts and end sessions in another process, and nobody tells of it.
 */
import type { Principal } from '../identity/principal.ts'
import type { SessionStore } from '../identity/session-store.ts'
import { every } from '../kernel/every.ts'
import { Fault } from '../kernel/fault.ts'
import { createMembers, type Member, type Members } from '../kernel/members.ts'
import type { DenialReason } from '../policy/decide.ts'
import type { Passage } from './forward.ts'
import type { Goodbye } from './web-socket.ts'

/** What was let through. */
export type Passed = Pick<Passage, 'exchange' | 'target' | 'permit'>

export interface Work extends Passed {
  /** Cuts it; a WebSocket says goodbye first. */
  end(goodbye: Goodbye): void
  /** A WebSocket: it has no end of its own. */
  readonly lasting: boolean
  /** Whether anything went on, since this was asked last, that counts as use of the session. */
  moved(): boolean
}

/** Why somebody would not be let through now; `no-route`: nothing leads there any more. */
export type Barred = DenialReason | 'no-route'

/** One state of the configuration, as far as it says what may go on. Both may throw Fault('state-unavailable'). */
export interface Judge {
  /** Who they are now; undefined: nobody any more, and what was begun in their name ends, whatever the rules say. */
  present(was: Principal, passed: Passed): Principal | undefined
  bars(passed: Passed, principal: Principal | undefined): Barred | undefined
}

export interface InFlight extends Disposable {
  add(work: Work): Disposable
  /** From now on; what runs is looked at at once. Before the first, everything goes on. */
  judgeBy(judge: Judge): void
  /** WebSockets, also those that are just being opened. */
  endLasting(): void
  /** What runs over a connection. True: some of it says goodbye, and needs the connection for three seconds more. */
  endOver(peer: object): boolean
  /** Whoever of this realm has something running under a password. */
  byPassword(realm: Principal['realm']): ReadonlySet<string>
  /** How much was cut. */
  endByPassword(name: string, realm: Principal['realm']): number
}

export interface InFlightOptions {
  readonly sessions: Pick<SessionStore, 'touch' | 'onEnd'>
  /** Milliseconds: the idle time of a session, which must not pass between two looks. */
  readonly idle: number
  /** Told once in a look of somebody who is barred from what runs for them. */
  readonly barred: (who: Principal | undefined, why: Barred, passed: Passed) => void
}

class Running implements Member, Disposable {
  at = -1
  readonly work: Work
  /** What it was judged by last, so that it is judged again only when that is another. */
  judge: Judge | undefined
  groups: string | undefined
  readonly #all: Members<Running>

  constructor(work: Work, all: Members<Running>) {
    this.work = work
    this.#all = all
    all.join(this)
  }

  [Symbol.dispose](): void {
    this.#all.leave(this)
  }
}

/** Milliseconds. */
const lookEvery = 1_000
/** Looks that are left out after a session could not be looked up: each may wait for whoever keeps the file. */
const afterFault = 30

const goodbyes = {
  session: { code: 1008, reason: 'the session has ended' },
  password: { code: 1008, reason: 'the account has changed' },
  certificate: { code: 1008, reason: 'the certificate no longer counts' },
  barred: { code: 1008, reason: 'not permitted any more' },
  stop: { code: 1001, reason: 'the gateway is stopping' },
} as const satisfies Record<string, Goodbye>

export function createInFlight({ sessions, idle, barred }: InFlightOptions): InFlight {
  const running = createMembers<Running>()
  let judge: Judge | undefined
  let isStopping = false
  /** Sessions whose use is still to be told to their store. */
  const used = new Set<string>()
  let resting = 0

  const works = () => running.all().map(({ work }) => work)
  const end = (one: Running, goodbye: Goodbye) => {
    if (running.leave(one)) one.work.end(goodbye)
  }
  const endAll = (which: (work: Work) => boolean, goodbye: Goodbye): readonly Work[] => {
    const ended = running.all().filter(({ work }) => which(work))
    for (const one of ended) end(one, goodbye)
    return ended.map(({ work }) => work)
  }
  const isSession = ({ permit }: Work, id: string) =>
    permit.principal?.proof.kind === 'session' && permit.principal.proof.id === id
  const passwordOf = ({ permit: { principal } }: Work) => (principal?.proof.kind === 'password' ? principal : undefined)

  function look(all: Iterable<Running>) {
    const by = judge
    if (by === undefined) return
    const presentOf = askedOnce(by)
    const groupsOf = writtenOnce()
    const told = new Set<unknown>()
    for (const one of all) {
      const { work } = one
      const was = work.permit.principal
      const principal = was && presentOf(was, work)
      // Asking for a session that is over ends all that runs under it.
      if (one.at === -1 || principal === 'unknown') continue
      if (was !== undefined && principal === undefined) {
        end(one, goodbyes[was.proof.kind])
        continue
      }
      const groups = groupsOf(principal)
      if (one.judge === by && one.groups === groups) continue
      const why = unlessUnknown(() => by.bars(work, principal))
      if (why === 'unknown') continue
      one.judge = by
      one.groups = groups
      if (why === undefined) continue
      end(one, goodbyes.barred)
      const who = principal && JSON.stringify([principal.realm, principal.name, principal.proof.kind, why])
      if (!told.has(who)) barred(principal, why, work)
      told.add(who)
    }
  }
  function touch() {
    for (const work of works()) {
      const proof = work.permit.principal?.proof
      if (proof?.kind === 'session' && work.moved()) used.add(proof.id)
    }
    if (resting-- > 0) return
    resting = 0
    for (const id of used) {
      if (unlessUnknown(() => sessions.touch(id)) === 'unknown') {
        resting = afterFault
        return
      }
      used.delete(id)
    }
  }

  sessions.onEnd(id => endAll(work => isSession(work, id), goodbyes.session))
  const looks = every(Math.max(50, Math.min(lookEvery, idle / 4)), () => {
    look(running.all())
    touch()
  })
  return {
    add(work) {
      const one = new Running(work, running)
      if (work.lasting) {
        // Much may have changed since the decision, while the upstream took its time.
        if (isStopping) end(one, goodbyes.stop)
        else look([one])
      }
      return one
    },
    judgeBy(next) {
      judge = next
      look(running.all())
    },
    endLasting() {
      isStopping = true
      endAll(({ lasting }) => lasting, goodbyes.stop)
    },
    endOver(peer) {
      const ended = endAll(({ exchange }) => exchange.connection.socket === peer, goodbyes.certificate)
      return ended.some(({ lasting }) => lasting)
    },
    byPassword(realm) {
      const holders = works().map(passwordOf)
      return new Set(holders.flatMap(one => (one?.realm === realm ? one.name : [])))
    },
    endByPassword(name, realm) {
      const isTheirs = (work: Work) => passwordOf(work)?.realm === realm && passwordOf(work)?.name === name
      return endAll(isTheirs, goodbyes.password).length
    },
    [Symbol.dispose]: () => looks[Symbol.dispose](),
  }
}

/** Records that cannot be read just now end nothing: what was permitted goes on, and new requests are told. */
function unlessUnknown<T>(ask: () => T): T | 'unknown' {
  try {
    return ask()
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
    return 'unknown'
  }
}

/** The same for all that hangs on one thing. */
function holderOf({ realm, name, proof }: Principal, { exchange }: Passed): unknown {
  if (proof.kind === 'session') return proof.id
  if (proof.kind === 'password') return JSON.stringify([realm, name, proof.standing])
  return exchange.connection.socket
}

/** Groups as text, in whatever order they come; a person of the directory may have hundreds. */
function writtenOnce(): (principal: Principal | undefined) => string {
  const texts = new Map<Principal | undefined, string>()
  return principal => {
    const text = texts.get(principal) ?? JSON.stringify([...(principal?.groups ?? [])].toSorted())
    texts.set(principal, text)
    return text
  }
}

/** A viewer has hundreds of downloads under one name; each is asked for once in a look. */
function askedOnce(judge: Judge): (was: Principal, passed: Passed) => Principal | 'unknown' | undefined {
  const answers = new Map<unknown, Principal | 'unknown' | undefined>()
  return (was, passed) => {
    const holder = holderOf(was, passed)
    if (!answers.has(holder))
      answers.set(
        holder,
        unlessUnknown(() => judge.present(was, passed)),
      )
    return answers.get(holder)
  }
}
