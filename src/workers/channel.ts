/**
 * Questions between the primary and a worker, and their answers: each side asks, each side answers, many at one time.
 *
 * Both sides are the same program, so what comes in is not checked again. Not to forget: a worker may be gone or stand
 * still at any moment, so whoever asks one says how long it is waited for.
 */
import type { AuditEvent } from '../audit/event.ts'
import type { Readiness } from '../listener/admin-listener.ts'
import type { Reloaded } from '../reload.ts'
import type { Measured } from '../telemetry/metrics.ts'

/** What is asked -> how it is asked, and answered. Only what JSON can hold. */
type Questions = Readonly<Record<string, readonly [said: unknown, answer: unknown]>>

/** What the primary asks of a worker. */
export type OfWorker = {
  /** Read the configuration again and stand ready to go over to it. @param said  the print that it must have */
  prepare: [said: string, answer: Reloaded]
  /** Go over to what was prepared (true), or stay. */
  settle: [said: boolean, answer: Reloaded]
  readiness: [said: null, answer: Readiness]
  metrics: [said: null, answer: readonly Measured[]]
  /** Answer an ACME authority; `authorization` null: not any more. */
  challenge: [said: { readonly token: string; readonly authorization: string | null }, answer: null]
  news: [said: NewsItem, answer: null]
  /** The secret of session tickets is another one from now on. @param said  hexadecimal */
  tickets: [said: string, answer: null]
  /** Let what runs finish, and end. Answered when it has begun. */
  drain: [said: null, answer: null]
}

/** What a worker asks of the primary. */
export type OfPrimary = {
  /** It has read the configuration, whose print this is. Whether it may start on that. */
  begin: [said: string, answer: Begin]
  ready: [said: readonly Listening[], answer: null]
  /** It could not start. */
  failed: [said: StartFailure, answer: null]
  /** For all others. Answered when they have heard it. */
  news: [said: NewsItem, answer: null]
  record: [said: { readonly id: string; readonly event: AuditEvent }, answer: Recorded]
  /** It has a bug, and lets what runs finish: another one may take its place. */
  leaving: [said: null, answer: null]
}

export type Begin =
  | { readonly go: false }
  | {
      readonly go: true
      readonly challenges: readonly [string, string][]
      /** The secret of session tickets, hexadecimal. */
      readonly tickets: string
    }

export interface NewsItem {
  readonly topic: string
  readonly text: string
}

export interface Listening {
  readonly name: string
  readonly urls: readonly string[]
}

/** An error as it crosses a process: what bind-problem.ts in cli/ asks for is kept. */
export interface StartFailure {
  readonly message: string
  readonly syscall?: string
  readonly code?: string
  readonly address?: string
  readonly port?: number
}

/** Of an audit event: written; not written, and the work goes on; not written, and nothing may be done. */
export type Recorded = 'written' | 'lost' | 'refused'

type Message =
  | { readonly ask: number; readonly kind: string; readonly said: unknown }
  | { readonly to: number; readonly answer: unknown }
  | { readonly to: number; readonly broke: string }

/** The way to another process. */
export interface Port {
  /** @param failed  told when the other process cannot be reached any more */
  send(message: object, failed: () => void): void
  on(listener: (message: unknown) => void): void
}

export type Answers<Of extends Questions> = {
  readonly [Kind in keyof Of]: (said: Of[Kind][0]) => Promise<Of[Kind][1]>
}

export interface Channel<Asked extends Questions> {
  /**
   * Rejects when the other side could not answer, is gone, or has not answered in time.
   *
   * @param patience  milliseconds; absent: as long as the other side lives
   */
  ask<Kind extends keyof Asked & string>(kind: Kind, said: Asked[Kind][0], patience?: number): Promise<Asked[Kind][1]>
  /** The other side is gone: whatever is waited for does not come. */
  close(): void
}

export function openChannel<Asked extends Questions, Own extends Questions>(
  port: Port,
  answers: Answers<Own>,
): Channel<Asked> {
  const waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>()
  let last = 0
  let isClosed = false

  const reply = (message: Message) => port.send(message, () => undefined)
  async function answer(ask: number, kind: string, said: unknown): Promise<void> {
    try {
      const own = answers[kind as keyof Own] // both sides are of one build
      reply({ to: ask, answer: await own(said as Own[keyof Own][0]) })
    } catch (cause) {
      reply({ to: ask, broke: cause instanceof Error ? cause.message : String(cause) })
    }
  }
  port.on(received => {
    const message = received as Message // the other side is this program
    if ('ask' in message) return void answer(message.ask, message.kind, message.said)
    const known = waiting.get(message.to)
    if (known === undefined) return // it was not waited for any longer
    waiting.delete(message.to)
    if ('broke' in message) known.reject(new Error(message.broke))
    else known.resolve(message.answer)
  })
  return {
    ask(kind, said, patience) {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>()
      const ask = ++last
      const fail = (why: string) => {
        if (waiting.delete(ask)) reject(new Error(why))
      }
      waiting.set(ask, { resolve, reject })
      if (isClosed) fail('the other process has ended')
      else port.send({ ask, kind, said }, () => fail('the other process cannot be reached'))
      if (patience === undefined) return promise
      const timer = setTimeout(() => fail(`no answer within ${patience} ms`), patience)
      return promise.finally(() => clearTimeout(timer))
    },
    close() {
      isClosed = true
      for (const { reject } of waiting.values()) reject(new Error('the other process has ended'))
      waiting.clear()
    },
  }
}
