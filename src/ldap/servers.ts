/**
 * The servers of a directory: searches as the reader, binds as a person. It knows entries and filters, not people.
 *
 * A refused password is a value; everything else that goes wrong is a Fault.
 */
import { performance } from 'node:perf_hooks'
import { Client, ResultCodeError } from 'ldapts'
import type { Secret } from '../kernel/secret.ts'
import type { PeerTrust } from '../tls/peer-trust.ts'
import { type Address, openConnection } from './connection.ts'
import { type Entry, readEntry } from './entry.ts'
import { type DirectoryStep, inStep, refusalOf } from './failure.ts'
import { type Filter, formatFilter } from './filter.ts'
import { encodeFilter } from './filter-encoding.ts'

export interface SearchRequest {
  readonly base: string
  readonly scope: 'sub' | 'base'
  readonly filter: Filter
  /** Asked for by name, operational ones too. */
  readonly attributes: readonly string[]
  /** Of these the bytes are wanted, not the text. */
  readonly binary?: readonly string[]
  /** More entries are not wanted: the size limit. Absent: all of them, page by page. */
  readonly most?: number
}

export interface ResponseControl {
  readonly oid: string
  readonly value: Buffer
}

export type BindAnswer =
  | { readonly right: true; readonly controls: readonly ResponseControl[] }
  /** `code`: of LDAP; `message`: the directory's own words. */
  | {
      readonly right: false
      readonly code: number
      readonly message: string
      readonly why: string
      readonly controls: readonly ResponseControl[]
    }

/** Every method may throw Fault('directory-unavailable') or Fault('directory-misconfigured'). */
export interface Servers extends AsyncDisposable {
  /** As the reader. All entries or a Fault: half an answer is none. */
  search(request: SearchRequest): Promise<Entry[]>
  /** On a connection of its own. Neither argument may be empty. */
  bind(dn: string, password: string): Promise<BindAnswer>
  /** Resolves if a server answers and knows the reader. */
  probe(): Promise<void>
}

export interface ServerSettings {
  readonly addresses: readonly Address[]
  /** Absent: searched anonymously. */
  readonly reader: { readonly dn: string; readonly password: Secret } | undefined
  /** Milliseconds, both at least 1: nothing waits for ever. */
  readonly connectTimeout: number
  readonly readTimeout: number
  /** Absent: the platform's authorities, and the name of the URL. */
  readonly trust: PeerTrust | undefined
}

/** Told after each step, failed or not; for `ldap test`. `what` is a DN or a filter, never a secret. */
export type OnStep = (step: DirectoryStep, milliseconds: number, what: string) => void

/** Opens nothing yet. */
export function openServers(settings: ServerSettings, onStep: OnStep = () => undefined): Servers {
  const { addresses, reader, connectTimeout, readTimeout, trust } = settings
  const timed = async <T>(step: DirectoryStep, what: string, work: () => Promise<T>): Promise<T> => {
    const started = performance.now()
    try {
      return await inStep(step, work)
    } finally {
      onStep(step, performance.now() - started, what)
    }
  }

  async function withClient<T>(use: (client: Client) => Promise<T>): Promise<T> {
    const [address] = addresses
    if (address === undefined) throw new TypeError('a directory has at least one address')
    const connection = await timed('connect', `${address.host}:${address.port}`, () =>
      openConnection(address, trust, connectTimeout),
    )
    // The URL is only a form to ldapts: the connection stands already, encrypted or not.
    const client = new Client({ url: 'ldap://directory', timeout: readTimeout, createConnection: connection.hand })
    try {
      return await use(client)
    } finally {
      // A farewell is not worth waiting for, nor is its failure.
      void client
        .unbind()
        .catch(() => undefined)
        .finally(() => connection.destroy())
    }
  }

  const asReader = <T>(use: (client: Client) => Promise<T>): Promise<T> =>
    withClient(async client => {
      if (reader !== undefined) await timed('reader', reader.dn, () => client.bind(reader.dn, reader.password.reveal()))
      return use(client)
    })

  return {
    search: ({ base, scope, filter, attributes, binary = [], most }) =>
      asReader(client =>
        timed('search', formatFilter(filter), async () => {
          const { searchEntries } = await client.search(base, {
            scope,
            derefAliases: 'never',
            filter: encodeFilter(filter),
            attributes: [...attributes],
            explicitBufferAttributes: [...binary],
            timeLimit: Math.ceil(readTimeout / 1000),
            ...(most === undefined ? { paged: { pageSize: 500 } } : { sizeLimit: most }),
          })
          // References to other directories are left unread: credentials go nowhere but to the configured one.
          return searchEntries.map(readEntry).filter(entry => entry !== undefined)
        }),
      ),
    bind: (dn, password) =>
      withClient(client =>
        timed('bind', dn, async (): Promise<BindAnswer> => {
          try {
            await client.bind(dn, password)
            return { right: true, controls: [] }
          } catch (cause) {
            const why = refusalOf(cause)
            if (why === undefined || !(cause instanceof ResultCodeError)) throw cause
            return { right: false, code: cause.code, message: cause.message, why, controls: [] }
          }
        }),
      ),
    probe: () =>
      asReader(async client => {
        if (reader !== undefined) return
        // A stranger may not be allowed to look, but somebody is there.
        await timed('search', '(objectClass=*)', () =>
          anyAnswer(client.search('', { scope: 'base', attributes: ['1.1'] })),
        )
      }),
    async [Symbol.asyncDispose]() {},
  }
}

/** Waits for an answer, whatever it is; rejects only if none comes. */
async function anyAnswer(asked: Promise<unknown>): Promise<void> {
  try {
    await asked
  } catch (cause) {
    if (!(cause instanceof ResultCodeError)) throw cause
  }
}
