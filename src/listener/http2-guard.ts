/**
 * What an HTTP/2 connection may cost beside its requests: streams that are taken back, and bytes that carry nothing.
 *
 * Most floods are wrong by the letter, and Node's parser (nghttp2) ends them at the first frames. What is left is right
 * by the letter and worth nothing: requests that are reset again and again (CVE-2023-44487), PING, SETTINGS and
 * WINDOW_UPDATE without end, headers over the limit, DATA of one byte. None of it is told by Node frame by frame, so the
 * bytes are looked at: those that came, less what requests and bodies account for.
 */
import type { ServerHttp2Session } from 'node:http2'
import { giveBackSoon } from '../kernel/give-back.ts'
import { createMembers, type Member } from '../kernel/members.ts'
import { addressKey } from './client-address.ts'
import { closeSoon } from './last-words.ts'

/** Milliseconds between two looks; each is at a part of the connections, where there are many. */
const lookEvery = 50
const looksAtOnce = 1_000

/**
 * Streams that a client may take back: OHIF opens 200 at once and cancels them as somebody scrolls. Fifty times in a row
 * is well inside; without an end it is twice a second.
 */
const resets = { most: 16_000, perSecond: 400 }

/** What a connection may cost at one time. */
export interface Budget {
  /** Bytes that may carry nothing: a request with too many headers, and a ping now and then. */
  readonly idle: { readonly most: number; readonly perSecond: number }
  /**
   * Requests that may be taken back in one breath before they are begun, for each that may run: a line that stood still
   * brings what was cancelled meanwhile.
   */
  readonly takenBack: number
  /** Streams that Node turns away before the guard hears of them. */
  readonly rejected: number
}

const trusting: Budget = { idle: { most: 128 * 1024, perSecond: 32 * 1024 }, takenBack: 10, rejected: 10_000 }
/** For an address that has just flooded: whoever comes again and again costs little, and others behind it get by. */
const wary: Budget = { idle: { most: 16 * 1024, perSecond: 8 * 1024 }, takenBack: 2, rejected: 100 }
/** Milliseconds in which an address is not trusted, and how many are kept in mind. */
const waryFor = 60_000
const mostSuspects = 10_000
/** What a request accounts for beside its headers: frames of its own, its window, its priority, its reset. */
const perStream = 128
/** What a body accounts for: frames may be as small as 72 bytes, and a client may acknowledge every one. */
const frameShare = 1 / 8
/** Bytes that requests and bodies may account for beyond what came: HPACK says a long head in a few bytes. */
const inStore = 1024 * 1024
/**
 * Bytes that may still come of bodies that were answered early: twice what the window of a connection lets be under way,
 * and more in the course of time. Node tells nobody of them.
 */
const afterAnswer = { most: 16 * 1024 * 1024, perSecond: 2 * 1024 * 1024 }

/** A bucket that leaks: what is poured into it runs out in the course of time. */
class Bucket {
  level = 0
  #at: number
  readonly #size: { readonly most: number; readonly perSecond: number }

  constructor(size: { readonly most: number; readonly perSecond: number }, now: number) {
    this.#size = size
    this.#at = now
  }

  /** @returns whether it holds all that was poured in; below nothing it does not go */
  pour(amount: number, now: number): boolean {
    const leaked = ((now - this.#at) * this.#size.perSecond) / 1000
    this.#at = now
    this.level = Math.max(0, Math.max(0, this.level - leaked) + amount)
    return this.level <= this.#size.most
  }

  get room(): number {
    return Math.max(0, this.#size.most - this.level)
  }
}

/** The bodies of one exchange. */
export interface Carrying extends Member {
  /** Bytes of the request's that came, read or not. */
  came: number
  reply?: { readonly bytes: number } | undefined
}

const worthOf = ({ came, reply }: Carrying): number => came * (1 + frameShare) + (reply?.bytes ?? 0) * frameShare

export class Account {
  readonly #socket: { readonly bytesRead: number }
  readonly #carrying = createMembers<Carrying>()
  readonly #resets: Bucket
  readonly #idle: Bucket
  readonly #afterAnswer: Bucket
  readonly #mostInOneBreath: number
  /** Requests that were taken back since the network was looked at, before they were begun. */
  #inOneBreath = 0
  #seen = 0
  /** Bytes that requests and ended streams account for. */
  #worth = 0

  /** @param streams  that may run at one time */
  constructor(socket: { readonly bytesRead: number }, { idle, takenBack }: Budget, streams: number, now: number) {
    this.#socket = socket
    this.#mostInOneBreath = takenBack * streams
    this.#resets = new Bucket(resets, now)
    this.#idle = new Bucket(idle, now)
    this.#afterAnswer = new Bucket(afterAnswer, now)
  }

  /** @param headers  bytes of its head */
  opened(headers: number, carrying: Carrying): void {
    this.#worth += perStream + headers
    this.#carrying.join(carrying)
  }

  /** Its head accounts for nothing. */
  malformed(headers: number): void {
    this.#worth -= headers
  }

  /** Its body is not wanted any more. @param onTheWay  bytes of it that may come still */
  unwanted(onTheWay: number, now: number): void {
    this.#afterAnswer.pour(0, now)
    const forgiven = Math.min(onTheWay, this.#afterAnswer.room)
    this.#afterAnswer.pour(forgiven, now)
    this.#worth += forgiven
  }

  ended(carrying: Carrying): void {
    this.#carrying.leave(carrying)
    this.#worth += worthOf(carrying)
  }

  /**
   * @param waited  it was not begun
   * @returns       why the connection is to end, if it is
   */
  takenBack(now: number, waited: boolean): string | undefined {
    if (!this.#resets.pour(1, now)) return 'streams are taken back without end'
    if (!waited) return undefined
    if (this.#inOneBreath++ === 0)
      setImmediate(() => {
        this.#inOneBreath = 0
      })
    return this.#inOneBreath > this.#mostInOneBreath ? 'requests that are taken back at once' : undefined
  }

  /** A stream that was answered to its end pays for one that was taken back. */
  completed(now: number): void {
    this.#resets.pour(-1, now)
  }

  /** @returns why the connection is to end, if it is */
  look(now: number): string | undefined {
    const received = this.#socket.bytesRead
    if (received === this.#seen) return undefined
    this.#seen = received
    let worth = this.#worth
    for (const carrying of this.#carrying.all()) worth += worthOf(carrying)
    this.#afterAnswer.pour(0, now)
    const least = -inStore - this.#afterAnswer.level
    // Below zero, there is more in store.
    const useless = Math.max(least, received - worth)
    // Counted once: what has run out of the bucket is paid for. What is accounted for late pays for what is in it.
    const counted = Math.max(useless, -this.#idle.level)
    this.#worth += received - worth - useless + counted
    return this.#idle.pour(counted, now) ? undefined : 'frames that carry nothing'
  }
}

interface Watched {
  readonly account: Account
  readonly socket: GuardedSocket
  readonly end: (why: string) => void
}

interface GuardedSocket {
  readonly bytesRead: number
  destroy(): unknown
}

export interface Guard extends Disposable {
  budget(address: string): Budget
  /** A connection from there has flooded. */
  suspect(address: string): void
  /**
   * @param streams  that may run at one time
   * @param end      called when the connection is to end, with the reason
   */
  watch(
    session: ServerHttp2Session,
    socket: GuardedSocket,
    budget: Budget,
    streams: number,
    end: (why: string) => void,
  ): Account
}

export function createGuard(): Guard {
  const watched = new Map<ServerHttp2Session, Watched>()
  let order = watched.entries()
  let timer: NodeJS.Timeout | undefined
  /** Until when, by address; the latest last. */
  const suspects = new Map<string, number>()

  function look() {
    const now = performance.now()
    for (let left = Math.min(looksAtOnce, watched.size); left > 0; left--) {
      let next = order.next()
      if (next.done === true) {
        order = watched.entries()
        next = order.next()
      }
      if (next.done === true) return
      const [session, { account, socket, end }] = next.value
      const why = session.destroyed ? undefined : account.look(now)
      if (why !== undefined) end(why)
      if (!session.destroyed) continue
      // Node waits with the end of the connection until its last words are taken.
      watched.delete(session)
      closeSoon(socket)
    }
    if (watched.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
  return {
    budget: address => ((suspects.get(addressKey(address)) ?? 0) > performance.now() ? wary : trusting),
    suspect(address) {
      giveBackSoon()
      const key = addressKey(address)
      suspects.delete(key)
      suspects.set(key, performance.now() + waryFor)
      const [first] = suspects.keys()
      if (suspects.size > mostSuspects && first !== undefined) suspects.delete(first)
    },
    watch(session, socket, budget, streams, end) {
      const account = new Account(socket, budget, streams, performance.now())
      watched.set(session, { account, socket, end })
      timer ??= setInterval(look, lookEvery).unref()
      return account
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
