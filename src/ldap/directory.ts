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
import type { Clock } from '../kernel/clock.ts'
import { Fault } from '../kernel/fault.ts'
import { Secret } from '../kernel/secret.ts'
import type { PeerTrust } from '../tls/peer-trust.ts'
import { type DirectorySettings, planDirectory } from './directory-plan.ts'
import { valuesOf } from './entry.ts'
import { both, equal } from './filter.ts'
import { brand, type Finding, type GroupsAnswer, type PasswordAnswer, type PersonEntry } from './person.ts'
import { fillPlaceholders } from './placeholder.ts'
import { type OnStep, openServers } from './servers.ts'

/** Every method may throw Fault('directory-unavailable') or Fault('directory-misconfigured'). */
export interface Directory extends AsyncDisposable {
  /** @param name  as typed; may hold anything */
  find(name: string): Promise<Finding>
  /** The entry of this DN, whatever the user filter says of it. Its name is the first that it has. */
  read(dn: string): Promise<Finding>
  checkPassword(entry: PersonEntry, password: string): Promise<PasswordAnswer>
  groupsOf(entry: PersonEntry): Promise<GroupsAnswer>
  /** Takes as long as a wrong password does, for a name that is not there. */
  pretendToCheck(): Promise<void>
  /** Resolves if the directory answers and knows the reader. */
  probe(): Promise<void>
}

export interface DirectoryOptions {
  /** Of the reader account. */
  readonly password?: Secret | undefined
  /** Absent: the platform's authorities, and the name of the URL. */
  readonly trust?: PeerTrust | undefined
  readonly clock?: Clock | undefined
  /** `realms.ignoreCase`. */
  readonly ignoreCase?: boolean
  readonly onStep?: OnStep
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
  const { trust, onStep } = options
  const password = options.password ?? new Secret('')
  if (plan.reader !== undefined && password.isEmpty) {
    throw new Fault('directory-misconfigured', {
      about: 'the reader account has no password, and would search anonymously',
    })
  }
  const { addresses, connectTimeout, readTimeout } = plan
  const reader = plan.reader === undefined ? undefined : { dn: plan.reader, password }
  const servers = openServers({ addresses, reader, connectTimeout, readTimeout, trust }, onStep)
  const person = (entry: Omit<PersonEntry, typeof brand | 'id' | 'particulars' | 'closed'>): PersonEntry => ({
    ...entry,
    id: undefined,
    particulars: {},
    closed: undefined,
    [brand]: true,
  })

  return {
    async find(name) {
      // Two are enough to know that it is not one.
      const entries = await servers.search({
        base: plan.base,
        scope: 'sub',
        filter: both(plan.userFilter, equal(plan.nameAttribute, name)),
        attributes: plan.attributes,
        most: 2,
      })
      const [entry, ...others] = entries
      if (entry === undefined) return { kind: 'not-found', why: 'no entry has this name' }
      if (others.length > 0) return { kind: 'not-found', why: 'several entries have this name' }
      // The directory compares without case and folds blanks; rules compare exactly.
      if (!valuesOf(entry, plan.nameAttribute).includes(name))
        return { kind: 'not-found', why: `${entry.dn} spells this name otherwise` }
      return { kind: 'found', entry: person({ ...entry, name }) }
    },

    async read(dn) {
      const [entry] = await servers.search({
        base: dn,
        scope: 'base',
        filter: { kind: 'present', attribute: 'objectClass' },
        attributes: plan.attributes,
        most: 1,
      })
      const name = entry && valuesOf(entry, plan.nameAttribute)[0]
      if (entry === undefined || name === undefined) return { kind: 'not-found', why: `no entry is called ${dn}` }
      return { kind: 'found', entry: person({ ...entry, name }) }
    },

    async checkPassword(entry, password) {
      if (password.trim() === '' || password.includes('\0'))
        return { right: false, reason: 'wrong', why: 'not sent: an empty password' }
      const answer = await servers.bind(entry.dn, password)
      return answer.right ? { right: true } : { right: false, reason: 'wrong', why: answer.why }
    },

    async groupsOf(entry) {
      const rule = plan.groups
      if (rule.kind === 'literal') return { kind: 'groups', groups: [{ name: rule.group, owner: false }] }
      const query = fillPlaceholders(rule.query, placeholder => {
        const named = valuesOf(entry, placeholder)
        if (named.length > 0) return named
        const mapped = plan.userMapping.get(placeholder)
        if (mapped !== undefined) return valuesOf(entry, mapped)
        return placeholder.toLowerCase() === 'dn' ? [entry.dn] : []
      })
      if (query.kind === 'unfilled') return { kind: 'no-groups', why: query.why }
      // No size limit of ours: half of the groups may mean other rights. Connections are bounded in bytes.
      const found = await servers.search({
        base: plan.base,
        scope: 'sub',
        filter: both(rule.filter, query),
        attributes: [rule.nameAttribute],
      })
      const names = found.map(group => valuesOf(group, rule.nameAttribute)[0]).filter(isGroupName)
      return names.length === 0
        ? { kind: 'no-groups', why: `no group found for ${entry.dn}` }
        : { kind: 'groups', groups: [...new Set(names)].map(name => ({ name, owner: false })) }
    },

    async pretendToCheck() {
      // A random name and a random password: what was typed goes to no one, and no account can be locked by it.
      const nobody = [`cn=${randomBytes(9).toString('hex')}`, plan.base].filter(part => part !== '').join(',')
      await servers.bind(nobody, randomBytes(18).toString('base64url'))
    },

    probe: () => servers.probe(),
    [Symbol.asyncDispose]: () => servers[Symbol.asyncDispose](),
  }
}

const isGroupName = (name: string | undefined): name is string => name !== undefined && /^\P{Cc}{1,256}$/u.test(name)
