/**
 * Asks a directory who somebody is, whether a password is theirs, and which groups they are in.
 *
 * It knows nothing of sessions, throttles or HTTP, and remembers nobody. A wrong password is a value; a directory that
 * cannot answer is a Fault.
 *
 * Not to forget: an empty password is a bind that every directory accepts (RFC 4513 5.1.2), so it never leaves here; and
 * only names that the directory itself returned are bound, as ldapts takes "EXTERNAL" and the like for SASL.
 *
 * Source: RFC 4511, RFC 4513; OMERO LdapImpl and LdapPasswordProvider for the rules of finding a person.
 */
import { randomBytes } from 'node:crypto'
import { type Clock, systemClock } from '../kernel/clock.ts'
import { Fault } from '../kernel/fault.ts'
import { Secret } from '../kernel/secret.ts'
import type { PeerTrust } from '../tls/peer-trust.ts'
import { type DirectoryPlan, type DirectorySettings, planDirectory } from './directory-plan.ts'
import { valuesOf } from './entry.ts'
import { both, equal } from './filter.ts'
import { createModule } from './group-module.ts'
import { createGroups } from './groups.ts'
import { passwordAnswer } from './password-policy.ts'
import type { Finding, GroupsAnswer, PasswordAnswer, PersonEntry } from './person.ts'
import { nameIn, personEntry } from './person-entry.ts'
import { type OnStep, openServers, type SearchRequest, type Servers } from './servers.ts'

/** Every method may throw Fault('directory-unavailable') or Fault('directory-misconfigured'). */
export interface Directory extends AsyncDisposable {
  /** Loads what the settings name beside the directory; rejects with Fault('directory-misconfigured'). */
  prepare(): Promise<void>
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
  const plan = requirePlan(settings)
  const { clock = systemClock, ignoreCase = false } = options
  const servers = serversOf(plan, options)
  const module = createModule({ plan, servers })
  const groupsOf = createGroups({ plan, servers, askModule: module.ask })
  const terms = () => ({ plan, ignoreCase, now: clock.now() })
  const people = (request: Pick<SearchRequest, 'base' | 'scope' | 'filter' | 'most'>) =>
    servers.search({ ...request, attributes: plan.attributes, binary: ['objectGUID', 'objectSid'] })

  return {
    prepare: module.prepare,
    groupsOf,

    async find(name) {
      const filter = both(plan.userFilter, equal(plan.nameAttribute, name))
      // Two are enough to know that it is not one.
      const [entry, ...others] = await people({ base: plan.base, scope: 'sub', filter, most: 2 })
      if (entry === undefined) return { kind: 'not-found', why: 'no entry has this name' }
      if (others.length > 0) return { kind: 'not-found', why: 'several entries have this name' }
      if (valuesOf(entry, plan.nameAttribute).length === 0)
        return {
          kind: 'not-found',
          why: `${entry.dn} was found by ${plan.nameAttribute}, which it does not show: another name of the attribute (write the one that is shown), or a right that the reader lacks`,
        }
      const spelt = nameIn(entry, name, terms())
      if (spelt === undefined) return { kind: 'not-found', why: `${entry.dn} spells this name otherwise` }
      return { kind: 'found', entry: personEntry(entry, spelt, terms()) }
    },

    async read(dn) {
      const filter = { kind: 'present', attribute: 'objectClass' } as const
      const [entry] = await people({ base: dn, scope: 'base', filter, most: 1 })
      const name = entry && valuesOf(entry, plan.nameAttribute)[0]
      if (entry === undefined) return { kind: 'not-found', why: `no entry is called ${dn}` }
      if (name === undefined) return { kind: 'not-found', why: `${entry.dn} has no ${plan.nameAttribute}` }
      return { kind: 'found', entry: personEntry(entry, nameIn(entry, name, terms()) ?? name, terms()) }
    },

    async checkPassword(entry, password) {
      if (password.trim() === '' || password.includes('\0'))
        return { right: false, reason: 'wrong', why: 'not sent: an empty password' }
      return passwordAnswer(await servers.bind(entry.dn, password))
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

function requirePlan(settings: DirectorySettings): DirectoryPlan {
  const planned = planDirectory(settings)
  if (planned.ok) return planned.plan
  throw new Fault('directory-misconfigured', {
    about: planned.mistakes.map(({ key, message }) => `${key}: ${message}`).join('; '),
  })
}

function serversOf(plan: DirectoryPlan, { password = new Secret(''), trust, onStep }: DirectoryOptions): Servers {
  const { addresses, startTls, referral, connectTimeout, readTimeout, reader: dn } = plan
  if (dn !== undefined && password.isEmpty)
    throw new Fault('directory-misconfigured', {
      about: 'the reader account has no password, and would search anonymously',
    })
  const reader = dn === undefined ? undefined : { dn, password }
  return openServers({ addresses, startTls, referral, reader, connectTimeout, readTimeout, trust }, onStep)
}
