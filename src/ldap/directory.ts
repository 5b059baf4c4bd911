/**
 * Asks a directory who somebody is, whether a password is theirs, and which groups they are in.
 *
 * It knows nothing of sessions, throttles or HTTP, and keeps nothing: each question has a connection of its own, which
 * is bound once and never again. A wrong password is a value; a directory that cannot answer is a Fault.
 *
 * Not to forget: an empty password is a bind that every directory accepts (RFC 4513 5.1.2), so it never leaves here; and
 * only names that the directory itself returned are bound, as ldapts takes "EXTERNAL" and the like for SASL.
 *
 * Source: RFC 4511, RFC 4513; OMERO LdapImpl and LdapPasswordProvider for the rules of finding a person.
 */
import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { Client, ResultCodeError, type SearchOptions } from 'ldapts'
import { Fault } from '../kernel/fault.ts'
import { Secret } from '../kernel/secret.ts'
import type { PeerTrust } from '../tls/peer-trust.ts'
import { openConnection } from './connection.ts'
import { type DirectorySettings, planDirectory } from './directory-plan.ts'
import { type Entry, readEntry, valuesOf } from './entry.ts'
import { type DirectoryStep, inStep, refusalOf } from './failure.ts'
import { both, equal, type Filter, formatFilter } from './filter.ts'
import { encodeFilter } from './filter-encoding.ts'
import { fillPlaceholders } from './placeholder.ts'

const brand: unique symbol = Symbol('found in the directory')

/** A person's entry. Only find() makes one, so that nothing else can be bound. */
export interface PersonEntry extends Entry {
  readonly [brand]: true
  /** The value in the directory that was asked for. */
  readonly name: string
}

export type Finding =
  | { readonly kind: 'found'; readonly entry: PersonEntry }
  /** `why` is for the audit trail: nobody, several, or one whose name is spelt otherwise. */
  | { readonly kind: 'not-found'; readonly why: string }

export type PasswordAnswer = { readonly right: true } | { readonly right: false; readonly why: string }

export type GroupsAnswer =
  /** At least one, in the order of the directory. */
  { readonly kind: 'groups'; readonly groups: readonly string[] } | { readonly kind: 'no-groups'; readonly why: string }

/** Every method may throw Fault('directory-unavailable') or Fault('directory-misconfigured'). */
export interface Directory {
  /** @param name  as typed; may hold anything */
  find(name: string): Promise<Finding>
  checkPassword(entry: PersonEntry, password: string): Promise<PasswordAnswer>
  groupsOf(entry: PersonEntry): Promise<GroupsAnswer>
  /** Takes as long as a wrong password does, for a name that is not there. */
  pretendToCheck(): Promise<void>
  /** Resolves if the directory answers and knows the reader. */
  probe(): Promise<void>
}

export interface DirectoryOptions {
  /** Of the reader. */
  readonly password?: Secret | undefined
  /** Absent: the platform's authorities, and the name of the URL. */
  readonly trust?: PeerTrust | undefined
  /** Told after each step, failed or not; for `ldap test`. `what` is a DN or a filter, never a secret. */
  readonly onStep?: (step: DirectoryStep, milliseconds: number, what: string) => void
}

/** Opens nothing yet. Throws Fault('directory-misconfigured') on settings that planDirectory() refuses. */
export function openDirectory(settings: DirectorySettings, options: DirectoryOptions = {}): Directory {
  const planned = planDirectory(settings)
  if (!planned.ok) {
    throw new Fault('directory-misconfigured', {
      about: planned.mistakes.map(({ key, message }) => `${key}: ${message}`).join('; '),
    })
  }
  const { plan } = planned
  const { trust, onStep = () => undefined } = options
  const readerPassword = options.password ?? new Secret('')
  if (plan.reader !== undefined && readerPassword.isEmpty) {
    throw new Fault('directory-misconfigured', {
      about: 'the reader account has no password, and would search anonymously',
    })
  }

  const timed = async <T>(step: DirectoryStep, what: string, work: () => Promise<T>): Promise<T> => {
    const started = performance.now()
    try {
      return await inStep(step, work)
    } finally {
      onStep(step, performance.now() - started, what)
    }
  }

  async function withClient<T>(use: (client: Client) => Promise<T>): Promise<T> {
    const { host, port } = plan.address
    const connection = await timed('connect', `${host}:${port}`, () =>
      openConnection(plan.address, trust, plan.connectTimeout),
    )
    // The URL is only a form to ldapts: the connection stands already, encrypted or not.
    const client = new Client({ url: 'ldap://directory', timeout: plan.readTimeout, createConnection: connection.hand })
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
      const { reader } = plan
      if (reader !== undefined) await timed('reader', reader, () => client.bind(reader, readerPassword.reveal()))
      return use(client)
    })

  const search = (
    filter: Filter,
    attributes: readonly string[],
    bound: Pick<SearchOptions, 'sizeLimit' | 'paged'>,
  ): Promise<Entry[]> =>
    asReader(client =>
      timed('search', formatFilter(filter), async () => {
        const { searchEntries } = await client.search(plan.base, {
          scope: 'sub',
          derefAliases: 'never',
          filter: encodeFilter(filter),
          attributes: [...attributes],
          timeLimit: Math.ceil(plan.readTimeout / 1000),
          ...bound,
        })
        // References to other directories are left unread: credentials go nowhere but to the configured one.
        return searchEntries.map(readEntry).filter(entry => entry !== undefined)
      }),
    )

  const bind = (dn: string, password: string): Promise<PasswordAnswer> =>
    withClient(client =>
      timed('bind', dn, async (): Promise<PasswordAnswer> => {
        try {
          await client.bind(dn, password)
          return { right: true }
        } catch (cause) {
          const why = refusalOf(cause)
          if (why === undefined) throw cause
          return { right: false, why }
        }
      }),
    )

  return {
    async find(name) {
      // Two are enough to know that it is not one.
      const entries = await search(both(plan.userFilter, equal(plan.nameAttribute, name)), plan.attributes, {
        sizeLimit: 2,
      })
      const [entry, ...others] = entries
      if (entry === undefined) return { kind: 'not-found', why: 'no entry has this name' }
      if (others.length > 0) return { kind: 'not-found', why: 'several entries have this name' }
      // The directory compares without case and folds blanks; rules compare exactly.
      if (!valuesOf(entry, plan.nameAttribute).includes(name))
        return { kind: 'not-found', why: `${entry.dn} spells this name otherwise` }
      return { kind: 'found', entry: { ...entry, name, [brand]: true } }
    },

    async checkPassword(entry, password) {
      if (password.trim() === '' || password.includes('\0')) return { right: false, why: 'not sent: an empty password' }
      return bind(entry.dn, password)
    },

    async groupsOf(entry) {
      const rule = plan.groups
      if (rule.kind === 'literal') return { kind: 'groups', groups: [rule.group] }
      const query = fillPlaceholders(rule.query, placeholder => {
        const named = valuesOf(entry, placeholder)
        if (named.length > 0) return named
        const mapped = plan.userMapping.get(placeholder)
        if (mapped !== undefined) return valuesOf(entry, mapped)
        return placeholder.toLowerCase() === 'dn' ? [entry.dn] : []
      })
      if (query.kind === 'unfilled') return { kind: 'no-groups', why: query.why }
      // No size limit of ours: half of the groups may mean other rights. Connections are bounded in bytes.
      const found = await search(both(rule.filter, query), [rule.nameAttribute], { paged: { pageSize: 500 } })
      const names = found.map(group => valuesOf(group, rule.nameAttribute)[0]).filter(isGroupName)
      return names.length === 0
        ? { kind: 'no-groups', why: `no group found for ${entry.dn}` }
        : { kind: 'groups', groups: [...new Set(names)] }
    },

    pretendToCheck: () =>
      withClient(client => {
        // A random name and a random password: what was typed goes to no one, and no account can be locked by it.
        const nobody = [`cn=${randomBytes(9).toString('hex')}`, plan.base].filter(part => part !== '').join(',')
        return timed('bind', nobody, () => anyAnswer(client.bind(nobody, randomBytes(18).toString('base64url'))))
      }),

    probe: () =>
      asReader(async client => {
        if (plan.reader !== undefined) return
        // A stranger may not be allowed to look, but somebody is there.
        await timed('search', '(objectClass=*)', () =>
          anyAnswer(client.search('', { scope: 'base', attributes: ['1.1'] })),
        )
      }),
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

const isGroupName = (name: string | undefined): name is string => name !== undefined && /^\P{Cc}{1,256}$/u.test(name)
