/**
 * One server of a directory: searches over connections of the reader that are kept, binds over a new one for each person.
 *
 * It knows no other server (failover.ts does). Not to forget: a connection that rested may have died without a word, which
 * is nobody's failure; it is replaced once, and only while nothing of an answer had come.
 *
 * Source: RFC 4511 4.2 to 4.5; RFC 4513 5.1.
 */
import { ResultCodeError } from 'ldapts'
import type { Secret } from '../kernel/secret.ts'
import { Breaker } from './breaker.ts'
import { type Address, type ConnectionTerms, openConnection, urlOf } from './connection.ts'
import { Conversation, TooMuch } from './conversation.ts'
import { Final, isOfServer } from './failover.ts'
import { type RunStep, refusalOf } from './failure.ts'
import { formatFilter } from './filter.ts'
import { createReaderPool } from './reader-pool.ts'
import { type Result, resultError } from './response.ts'
import { type Found, type Search, searchOver } from './search.ts'
import { bindOver } from './simple-bind.ts'

export interface ServerTerms extends Pick<ConnectionTerms, 'startTls' | 'trust'> {
  /** Undefined: searched anonymously. */
  readonly reader: { readonly dn: string; readonly password: Secret } | undefined
  /** Milliseconds: for a connection with its handshake; for each answer. */
  readonly connectTimeout: number
  readonly readTimeout: number
}

/** Every question rejects with a Fault, with a Final one where no other server may be asked. */
export interface Server {
  readonly url: string
  readonly address: Address
  readonly breaker: Breaker
  /** @param timeout  ms for the whole answer, all pages together */
  search(search: Search, timeout: number): Promise<Found>
  /** A success, or a refusal of this person. What must not be sent is not looked for here. */
  bind(dn: string, password: string): Promise<Result>
  /** Resolves if it answers and knows the reader. */
  probe(): Promise<void>
  /** Keeps no connection from now on. */
  close(): void
}

export function openServer(address: Address, terms: ServerTerms, run: RunStep): Server {
  const { reader, connectTimeout, readTimeout, startTls, trust } = terms
  const url = urlOf(address)
  const breaker = new Breaker()
  const pool = createReaderPool()

  const open = async () =>
    new Conversation(await openConnection(address, { startTls, trust, timeout: connectTimeout }, run))

  async function openAsReader(): Promise<Conversation> {
    const conversation = await open()
    if (reader === undefined) return conversation
    const bind = { name: reader.dn, password: reader.password.reveal(), policy: false, timeout: readTimeout }
    try {
      await run('reader', reader.dn, async () => {
        const result = await bindOver(conversation, bind)
        if (result.code !== 0) throw resultError(result)
      })
    } catch (cause) {
      conversation.close()
      throw cause
    }
    return conversation
  }

  /** @param work  is told whether the connection is new */
  async function asReader<T>(work: (conversation: Conversation, isNew: boolean) => Promise<T>): Promise<T> {
    const use = (conversation: Conversation, isNew: boolean) =>
      work(conversation, isNew).finally(() => pool.giveBack(conversation))
    const rested = pool.take()
    try {
      if (rested !== undefined) return await use(rested, false)
    } catch (cause) {
      if (rested?.isLostUnheard !== true) throw cause
    }
    return use(await openAsReader(), true)
  }

  /** What rests is no better than what just failed. */
  const clearedOnFailure = <T>(asked: Promise<T>): Promise<T> =>
    asked.catch(cause => {
      if (isOfServer(cause)) pool.clear()
      throw cause
    })

  return {
    url,
    address,
    breaker,
    search: (search, timeout) =>
      clearedOnFailure(
        asReader(conversation =>
          answered(run('search', formatFilter(search.filter), () => searchOver(conversation, search, timeout))),
        ),
      ),
    bind: async (dn, password) => {
      const conversation = await open()
      const bind = { name: dn, password, policy: true, timeout: readTimeout }
      return run('bind', dn, async () => {
        const result = await bindOver(conversation, bind)
        if (result.code === 0) return result
        const error = resultError(result)
        if (refusalOf(error) === undefined) throw error
        return result
      })
        .catch(cause => {
          throw isOfServer(cause) ? new Final(cause) : cause
        })
        .finally(() => conversation.close())
    },
    probe: () =>
      clearedOnFailure(
        asReader(async (conversation, isNew) => {
          // A new connection has just signed in. Whether it may look at the root does not matter: somebody answers.
          if (isNew && reader !== undefined) return
          const root = { base: '', scope: 'base', filter: everything, attributes: ['1.1'], most: 1 } as const
          await answered(
            run('search', formatFilter(everything), () => searchOver(conversation, root, readTimeout)),
          ).catch(cause => {
            if (!(cause instanceof Final)) throw cause
          })
        }),
      ),
    close: () => pool.close(),
  }
}

const everything = { kind: 'present', attribute: 'objectClass' } as const

/**
 * The server answered, if only that our settings are wrong: the others would say the same. One that turned us away in TLS,
 * as it may only at the first question, answered nothing.
 */
const answered = <T>(asked: Promise<T>): Promise<T> =>
  asked.catch(cause => {
    const isAnswer = isOfServer(cause) && (cause.cause instanceof ResultCodeError || cause.cause instanceof TooMuch)
    throw isAnswer && cause.code === 'directory-misconfigured' ? new Final(cause) : cause
  })
