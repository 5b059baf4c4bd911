/**
 * One of several processes that are a gateway together: a gateway that leaves to the primary what is done once.
 *
 *   read -> may I begin? -> start -> ready; then whatever it is asked
 *
 * Its addresses are bound in the primary (node:cluster), which hands it connections.
 */
import type { AuditLog } from '../audit/audit-log.ts'
import { startGateway } from '../gateway.ts'
import type { Surroundings } from '../house.ts'
import { Fault } from '../kernel/fault.ts'
import { giveBackInPauses, giveBackSoon } from '../kernel/give-back.ts'
import type { News } from '../kernel/news.ts'
import type { ReadConfiguration, Reloaded } from '../reload.ts'
import { type Channel, type OfPrimary, type OfWorker, openChannel, type Port, type StartFailure } from './channel.ts'
import { type Seat, shareOf } from './share.ts'

const changed = {
  config: undefined,
  materials: undefined,
  problems: [],
  why: 'files have changed while they were read',
}

/** Milliseconds in which the primary hears that this one leaves. */
const leavePatience = 2_000

export interface WorkerParts extends Surroundings {
  readonly seat: Seat
  readonly port: Port
  readonly start: ReturnType<ReadConfiguration> & { readonly print: string }
  readonly again: ReadConfiguration
  /** Resolves with why it is to end: it was told to, or has a bug. */
  readonly bug: Promise<unknown>
}

/** @returns when nothing runs any more: whether it ended as it was told to */
export async function runWorker(parts: WorkerParts): Promise<boolean> {
  const { seat, port, start, again, log, metrics, clock } = parts
  const told = Promise.withResolvers<'told'>()
  const challenges = new Map<string, string>()
  const tickets = { current: Buffer.alloc(0) } // told before anything is bound
  const listeners = new Set<{ readonly topic: string; readonly listener: (text: string) => void }>()
  /** A reload between its two halves. */
  let pending: { readonly agree: (yes: boolean) => void; readonly outcome: Promise<Reloaded> } | undefined

  const channel: Channel<OfPrimary> = openChannel<OfPrimary, OfWorker>(port, {
    async prepare(print) {
      const [prepared, agreed] = [Promise.withResolvers<Reloaded>(), Promise.withResolvers<boolean>()]
      const outcome = gateway.reload(
        () => {
          const found = again()
          if (found.print !== print) return changed
          // The primary has told of problems already.
          return { ...found, config: found.config && shareOf(found.config, seat), problems: [] }
        },
        async () => {
          prepared.resolve({ ok: true })
          if (!(await agreed.promise)) throw new Error('another worker could not follow')
        },
      )
      pending = { agree: agreed.resolve, outcome }
      return Promise.race([prepared.promise, outcome])
    },
    async settle(yes) {
      if (pending === undefined) return { ok: false, why: 'nothing was prepared' }
      const { agree, outcome } = pending
      agree(yes)
      return outcome
    },
    readiness: () => gateway.readiness(),
    metrics: () => gateway.measure(),
    async challenge({ token, authorization }) {
      if (authorization === null) challenges.delete(token)
      else challenges.set(token, authorization)
      return null
    },
    async news({ topic, text }) {
      for (const one of listeners) if (one.topic === topic) one.listener(text)
      return null
    },
    async tickets(secret) {
      tickets.current = Buffer.from(secret, 'hex')
      return null
    },
    async drain() {
      told.resolve('told')
      return null
    },
  })
  const begin = await channel.ask('begin', start.print)
  if (!begin.go) {
    log.warn({}, 'the files are not those that are at work: it begins when they are')
    return false
  }
  const { config, materials } = start
  if (config === undefined || materials === undefined) throw new Error('what is at work cannot be read')
  tickets.current = Buffer.from(begin.tickets, 'hex')
  for (const [token, authorization] of begin.challenges) challenges.set(token, authorization)

  const news: News = {
    async tell(topic, text) {
      await channel.ask('news', { topic, text }).catch(() => undefined) // the primary has gone, and so does this one
    },
    hear(topic, listener) {
      const one = { topic, listener }
      listeners.add(one)
      return { [Symbol.dispose]: () => void listeners.delete(one) }
    },
  }
  const started = await startGateway(shareOf(config, seat), materials, {
    ...{ log, metrics, clock },
    crew: { ...seat, audit: trailOf(channel), news, tickets, challenge: token => challenges.get(token) },
  }).catch(async (cause: unknown) => {
    await channel.ask('failed', failureOf(cause))
    return undefined
  })
  if (started === undefined) return false
  await using gateway = started
  await channel.ask('ready', [...gateway.listeners.map(({ name, urls }) => ({ name, urls }))])
  giveBackSoon(0)
  using _pauses = giveBackInPauses()

  const why = await Promise.race([told.promise, parts.bug])
  const left = why === 'told' ? undefined : channel.ask('leaving', null, leavePatience).catch(() => undefined)
  await gateway.drain()
  await left
  return why === 'told'
}

/** The trail is written by the primary, so that there is one writer. */
const trailOf = (channel: Channel<OfPrimary>): AuditLog => ({
  async record(id, event) {
    const outcome = await channel.ask('record', { id, event })
    if (outcome === 'refused') throw new Fault('audit-unavailable')
    return outcome === 'written'
  },
  async [Symbol.asyncDispose]() {
    // The file is the primary's.
  },
})

function failureOf(cause: unknown): StartFailure {
  if (!(cause instanceof Error)) return { message: String(cause) }
  const { syscall, code, address, port } = cause as Error & Omit<StartFailure, 'message'> // errors of Node have these
  return {
    message: cause.message,
    ...(syscall === undefined ? {} : { syscall }),
    ...(code === undefined ? {} : { code }),
    ...(address === undefined ? {} : { address }),
    ...(port === undefined ? {} : { port }),
  }
}
