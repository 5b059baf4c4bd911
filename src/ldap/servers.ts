/**
 * The servers of a directory: searches as the reader, binds as a person. It knows entries and filters, not people.
 *
 * A refused password is a value; everything else that goes wrong is a Fault. Searches share a few connections of the
 * reader; each bind of a person has a connection of its own, that is used for nothing else and by nobody after.
 *
 * Not to forget: a password goes to one server. Once it may have been sent, no other is asked.
 *
 * Source: RFC 4511, RFC 4513.
 */
import { performance } from 'node:perf_hooks'
import { Fault } from '../kernel/fault.ts'
import type { Secret } from '../kernel/secret.ts'
import { takeTurns } from '../kernel/turns.ts'
import type { PeerTrust } from '../tls/peer-trust.ts'
import type { Address } from './connection.ts'
import { countdown } from './countdown.ts'
import type { Entry } from './entry.ts'
import { askInOrder } from './failover.ts'
import { type DirectoryStep, inStep, type RunStep, refusalOf } from './failure.ts'
import { entriesOf, type ReferralRule } from './referral.ts'
import { type ResponseControl, resultError } from './response.ts'
import type { Search } from './search.ts'
import { openServer, type Server } from './server.ts'
import { unsendable } from './simple-bind.ts'

export interface SearchRequest extends Search {
  readonly scope: 'sub' | 'base'
}

export type BindAnswer = { readonly controls: readonly ResponseControl[] } & (
  | { readonly right: true }
  /** `code`: of LDAP; `message`: the directory's own words. */
  | { readonly right: false; readonly code: number; readonly message: string; readonly why: string }
)

export interface ServerState {
  readonly url: string
  /** Milliseconds for which it is left aside; 0: it is asked. */
  readonly asideFor: number
  /** In a row. */
  readonly failures: number
  /** What it failed in last, for an operator; undefined: it answered last. */
  readonly last: Fault | undefined
}

/** Every method may throw Fault('directory-unavailable'), ('directory-misconfigured') and ('overloaded'). */
export interface Servers extends AsyncDisposable {
  /** As the reader. All entries or a Fault: half an answer is none. With scope `base`, an entry that is not there is none. */
  search(request: SearchRequest): Promise<Entry[]>
  /** On a connection of its own. What must not be sent is refused without a packet. */
  bind(dn: string, password: string): Promise<BindAnswer>
  /** Resolves if a server answers and knows the reader. */
  probe(): Promise<void>
  /** In the order in which they are asked. */
  state(): readonly ServerState[]
}

export interface ServerSettings {
  /** At least one, in the order in which they are asked. */
  readonly addresses: readonly Address[]
  /** Absent: searched anonymously. */
  readonly reader: { readonly dn: string; readonly password: Secret } | undefined
  /** Milliseconds, both at least 1: nothing waits for ever. For the connection with its handshake; for each answer. */
  readonly connectTimeout: number
  readonly readTimeout: number
  /** Absent: the platform's authorities, and the name of the URL. */
  readonly trust: PeerTrust | undefined
  /** ldap:// URLs are encrypted before anything is said, or not spoken to. */
  readonly startTls: boolean
  readonly referral: ReferralRule
}

/**
 * Told after each step, failed or not; for `ldap test`. `what` is a DN, a filter or an address, never a secret; `failed` is
 * what was thrown.
 */
export type OnStep = (step: DirectoryStep, milliseconds: number, what: string, failed?: unknown) => void

/** Searches at one time, and so connections of the reader. A directory answers one in a few milliseconds. */
const searchesAtOnce = 4
const bindsAtOnce = 16
const waiting = 128

/** What a directory of good manners says to such a bind (RFC 4513 5.1.2). */
const unwilling = 53

/** Opens nothing yet. Throws Fault('directory-misconfigured') where the reader would be nobody. */
export function openServers(settings: ServerSettings, onStep: OnStep = () => undefined): Servers {
  const { addresses, reader, readTimeout, referral } = settings
  if (addresses.length === 0) throw new TypeError('a directory has at least one address')
  if (reader !== undefined && (reader.dn.trim() === '' || reader.password.reveal().trim() === ''))
    throw new Fault('directory-misconfigured', { about: 'a reader without a name or a password would be nobody' })
  const run: RunStep = async (step, what, work) => {
    const started = performance.now()
    const told = (failed?: unknown) => onStep(step, performance.now() - started, what, failed)
    try {
      const done = await inStep(step, work)
      told()
      return done
    } catch (cause) {
      told(cause)
      throw cause
    }
  }
  const servers = addresses.map(address => openServer(address, settings, run))
  const about = 'questions to the directory'
  const searchInTurn = takeTurns({ atOnce: searchesAtOnce, waiting, about, within: readTimeout })
  const bindInTurn = takeTurns({ atOnce: bindsAtOnce, waiting, about, within: readTimeout })

  return {
    search: request =>
      searchInTurn(async () => {
        const found = await askInOrder(servers, server => server.search(request, readTimeout))
        const left = countdown(readTimeout)
        return entriesOf<Server>(found, request, {
          rule: referral,
          servers,
          ask: (server, search) =>
            run('referral', `${server.url} ${search.base}`, () =>
              askInOrder([server], one => one.search(search, left())),
            ),
          notFollowed: host => onStep('referral', 0, `not followed: ${host}`),
        })
      }),
    async bind(dn, password) {
      const never = unsendable(dn, password)
      if (never !== undefined) return { right: false, code: unwilling, message: '', why: never, controls: [] }
      const result = await bindInTurn(() => askInOrder(servers, server => server.bind(dn, password)))
      const { code, message, controls } = result
      if (code === 0) return { right: true, controls }
      return { right: false, code, message, why: refusalOf(resultError(result)) ?? message, controls }
    },
    probe: () => searchInTurn(() => askInOrder(servers, server => server.probe())),
    state: () =>
      servers.map(({ url, breaker }) => ({
        url,
        asideFor: breaker.pause,
        failures: breaker.failures,
        last: breaker.last,
      })),
    async [Symbol.asyncDispose]() {
      for (const server of servers) server.close()
    },
  }
}
