/**
 * One upstream: its turns, its servers, its limits. Requests go in, heads and bodies come out.
 *
 * A request goes to another server only if nothing of it has gone out, or if it may be repeated and nothing of an answer
 * has come. The client behind a server can be replaced (http-client.ts).
 */
import type { Readable } from 'node:stream'
import type { HttpUpstreamSection } from '../config/upstream.ts'
import type { Eventually } from '../kernel/eventually.ts'
import { causeLine } from '../kernel/fault.ts'
import type { Signal } from '../kernel/signal.ts'
import type { HeaderList } from '../listener/exchange.ts'
import type { PeerTrust } from '../tls/peer-trust.ts'
import { Attempts } from './attempts.ts'
import { isBreak, isTooSlow, NotSent, upstreamFault } from './failure.ts'
import type { Health } from './health.ts'
import { gone } from './http-client.ts'
import { createLanes } from './lanes.ts'
import { type Profile, profiles } from './profiles.ts'
import { isFailure, Server } from './server.ts'
import { ServerTurn, untried } from './server-turn.ts'
import { createServers, type ServerState } from './servers.ts'

export interface UpstreamRequest {
  readonly method: string
  /** Canonical path and query. */
  readonly target: string
  /** All but X-Request-Id, which differs where the list may be that of many requests. */
  readonly headers: HeaderList
  readonly id?: string | undefined
  readonly body: Readable | undefined
  /** Whose turn it is: one text for one client. */
  readonly client: string
  readonly affinity?: Affinity | undefined
  /** Aborts when the client goes. */
  readonly signal: Signal
  /** Over a new connection, whichever are kept. */
  readonly anew?: boolean
  /** Told when its turn has come. */
  readonly begun?: () => void
}

/** Where servers know only those who signed in there. */
export interface Affinity {
  /** The server that the client was told, as it says. */
  readonly server: string | undefined
  /** One text for somebody who signed in at the gateway: gets the same server everywhere. */
  readonly person: string | undefined
}

export interface UpstreamResponse {
  readonly status: number
  readonly headers: HeaderList
  /** The body ends with the connection: nothing else says that it is whole. */
  readonly closeDelimited: boolean
  /**
   * A buffer is the whole body, where it is known already. A stream errors with a Fault when the upstream breaks off;
   * destroying it ends the exchange with the upstream.
   */
  readonly body: Readable | Buffer
  /** The client is to be told, and to say it with its next requests: which server has its session now. */
  readonly pin?: number
  /** Where there is a cache: whether it had the answer, did not, or was not asked. */
  readonly cache?: 'hit' | 'miss' | 'past'
  /** To be called when the answer is out, or nobody wants it: until then its bytes count as held. Once. */
  readonly release?: () => void
  /** Of a body that is kept: another form of it, made once and kept beside it. @param form  its name */
  readonly formOf?: (form: string, make: () => Promise<Buffer>) => Promise<Buffer>
}

/** Nobody reads this answer any more. */
export function dropBody({ body }: Pick<UpstreamResponse, 'body'>): void {
  if (!Buffer.isBuffer(body)) body.on('error', () => undefined).destroy()
}

export interface Upstream extends AsyncDisposable {
  readonly name: string
  readonly section: HttpUpstreamSection
  readonly profile: Profile
  /** For tunnels, which need a connection of their own. */
  readonly trust: PeerTrust | undefined
  readonly health: Health
  /** Where there are several. */
  readonly servers: readonly ServerState[]
  /**
   * Waits for a turn, for a connection that is made elsewhere; `send` does so by itself.
   *
   * Rejects with a Fault; with the signal's reason when the client went first.
   *
   * @param client  whose turn it is, see UpstreamRequest
   */
  enter(client: string, signal: Signal, affinity?: Affinity): Promise<Turn>
  /** Rejects with a Fault; with the signal's reason when the client went first. */
  send(request: UpstreamRequest): Promise<UpstreamResponse>
  /** Asks each server whether it answers at all; any HTTP answer will do, of one. Updates `health`. */
  probe(): Promise<boolean>
}

/** The right to one connection. */
export interface Turn {
  /** Of the server that is to be called, as `url`. */
  readonly section: HttpUpstreamSection
  answered(answer: Pick<UpstreamResponse, 'status'>): void
  /** It could not be reached. @returns whether there is another one to call, which `section` names then */
  unreached(cause: Error): boolean
  /** Gives the turn back; calling it again does nothing. */
  leave(): void
}

/**
 * @param warn  told once of what is odd about a server that is believed: a pinned certificate that has expired
 */
export function openUpstream(
  name: string,
  section: HttpUpstreamSection,
  trust: PeerTrust | undefined,
  now: () => number,
  warn: (text: string) => void = () => undefined,
): Upstream {
  const profile = profiles[section.kind]
  const warned = new Set<string>()
  const once = (text: string) => {
    if (!warned.has(text)) warn(`upstream ${name}: ${text}`)
    warned.add(text)
  }
  const all = section.urls.map((url, index) => {
    const terms = { name, section: { ...section, url }, trust, profile, now, warn: once }
    return new Server(index + 1, terms)
  })
  const say = (text: string) => warn(`upstream ${name}: ${text}`)
  const servers = createServers(all, say, () => lanes.forEach(one => void one.widened()))
  const isSticky = profile.sticky && all.length > 1
  // Who must go to one server waits for that one; else whichever has room first.
  const lanes = isSticky
    ? all.map(server => createLanes(name, () => section.connections + servers.left(server)))
    : [
        createLanes(name, () =>
          all.reduce((sum, one) => sum + servers.left(one), section.connections * servers.inService),
        ),
      ]

  const chosen = (affinity: Affinity | undefined, tried = untried) =>
    isSticky
      ? servers.choose(
          tried,
          /^\d{1,3}$/.test(affinity?.server ?? '') ? Number(affinity?.server) : undefined,
          affinity?.person,
        )
      : servers.choose(tried)

  function enter(client: string, signal: Signal, affinity?: Affinity): Eventually<ServerTurn> {
    const wanted = isSticky ? chosen(affinity) : undefined
    const [first] = lanes
    const lane = wanted === undefined ? first : lanes[wanted.number - 1]
    if (lane === undefined) throw new Error('an upstream without lanes')
    const begin = (leave: () => void) => {
      // Those that were out may be back, and the one that was waited for may be out.
      const server = chosen(affinity)
      if (server === undefined) throw new Error('an upstream without servers')
      return new ServerTurn(server, leave, tried => chosen(affinity, tried))
    }
    const entered = lane.enter(client, signal)
    if (!(entered instanceof Promise)) return begin(entered)
    return entered.then(begin, (cause: unknown) => {
      throw signal.aborted ? gone(signal) : cause
    })
  }

  /** Whether it is out for that, and another one may be better. */
  function judge(server: Server, cause: unknown, since: number) {
    const hangs = isTooSlow(cause) && server.answeredAt < since
    if (cause instanceof NotSent) {
      servers.putOut(server, causeLine(cause.cause))
      // One that has only too much to do goes on answering; and descriptors that ran out are nothing that it did.
      const isGone = server.answeredAt < since && upstreamFault(cause, name).code !== 'upstream-broken'
      if (isGone && all.some(({ isOut }) => !isOut)) server.abandon()
    } else if (hangs) servers.putOut(server, causeLine(cause))
    else if (isBreak(cause)) servers.suspect(server)
  }

  function answered(server: Server, answer: Pick<UpstreamResponse, 'status'>) {
    server.answered()
    servers[isFailure(answer) ? 'erred' : 'answered'](server)
  }

  return {
    name,
    section,
    profile,
    trust,
    get health() {
      return servers.health
    },
    get servers() {
      return servers.states
    },
    async enter(client, signal, affinity) {
      const turn = await enter(client, signal, affinity)
      return {
        get section() {
          return turn.server.section
        },
        answered: answer => answered(turn.server, answer),
        unreached(cause) {
          judge(turn.server, new NotSent(cause, undefined), 0)
          return turn.goOn()
        },
        leave: () => turn.leave(),
      }
    },
    async send(request) {
      const { affinity, signal } = request
      const entered = enter(request.client, signal, affinity)
      const turn = entered instanceof Promise ? await entered : entered
      request.begun?.()
      const [leave, since] = [() => turn.leave(), performance.now()]
      let current: UpstreamRequest = request
      let attempts: Attempts | undefined
      for (;;) {
        const { server } = turn
        try {
          const answer = await server.send(attempts?.isAnew(server) ? { ...current, anew: true } : current, leave)
          answered(server, answer)
          return isSticky && affinity?.server !== String(server.number) ? { ...answer, pin: server.number } : answer
        } catch (cause) {
          attempts ??= new Attempts(request, since, 2 * section.timeouts.connect)
          if (attempts.isAskedTwice(server, cause)) continue
          // What a client does wrong with its body is nothing that the server did.
          if (!signal.aborted && !request.body?.errored) judge(server, cause, since)
          if (cause instanceof NotSent && cause.body !== undefined) current = { ...current, body: cause.body }
          if (attempts.mayGoOn(cause) && !signal.aborted && turn.goOn()) continue
          leave()
          current.body?.destroy()
          request.body?.destroy()
          throw signal.aborted ? gone(signal) : server.failed(cause)
        }
      }
    },
    probe: () => servers.probe(),
    [Symbol.asyncDispose]: () => servers[Symbol.asyncDispose](),
  }
}
