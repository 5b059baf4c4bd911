/**
 * The servers of the directory, one after the other: who has the entry of a name, and what they said, kept for whoever
 * decides.
 */
import type { Config } from '../config/schema.ts'
import type { Examination } from '../doctor/examination.ts'
import type { Outcome } from '../doctor/step-rows.ts'
import type { DirectoryAccount } from '../identity/directory-account.ts'
import type { LocalAccount } from '../identity/local-accounts.ts'
import { Fault } from '../kernel/fault.ts'
import type { Finding, GroupsAnswer, PasswordAnswer, PersonEntry } from '../ldap/person.ts'

export interface Found {
  readonly server: Examination
  readonly outcome: Outcome<Finding>
}

export type Question = (server: Examination) => Promise<Outcome<Finding>>

interface KnownHere {
  readonly account: DirectoryAccount | undefined
  readonly local: LocalAccount | undefined
}

/** Of whom the directory is never asked. */
export const isLocalOnly = ({ account, local }: KnownHere): boolean => account === undefined && local !== undefined

/** What the gateway asks for a name: nothing, the entry that it remembers, or who is called so. */
export function questionFor(
  name: string,
  { config, ...here }: KnownHere & { readonly config: Pick<Config, 'realms'> },
): Question {
  const { account } = here
  if (isLocalOnly(here)) return async () => ({ ok: true, value: { kind: 'not-found', why: 'not asked' } })
  const isRemembered = account !== undefined && config.realms.passwordProvider === 'chained431'
  return server => (isRemembered ? server.read(account.dn) : server.find(name))
}

/**
 * One after the other: once the reader has been refused, its password is not sent to the others, as each of them would
 * count it, and the account might be locked.
 */
export async function findOn(servers: readonly Examination[], question: Question): Promise<Found[]> {
  const found: Found[] = []
  let refusedAt: string | undefined
  for (const server of servers) {
    const knocked = await (refusedAt === undefined ? server.knock() : server.knockAsNobody(refusedAt))
    if (server.steps.some(({ step, ok }) => step === 'reader' && !ok)) refusedAt ??= server.url
    found.push({ server, outcome: knocked.ok ? await question(server) : knocked })
  }
  return found
}

type Has = Found & { readonly outcome: { readonly ok: true; readonly value: Extract<Finding, { kind: 'found' }> } }
export const isFound = (found: Found): found is Has => found.outcome.ok && found.outcome.value.kind === 'found'

/** Once in full; where another server has the entry, or has been asked why, in a word. */
export async function explainMissing(found: readonly Found[], name: string): Promise<void> {
  const chosen = found.find(isFound)
  const without = found.filter(one => one.outcome.ok && !isFound(one))
  for (const [at, { server }] of without.entries()) {
    if (chosen !== undefined)
      await server.explainMissing(name, {
        code: 'not-on-this-server',
        cause: `this server has no such entry, and ${chosen.server.url} has`,
        cure: 'look whether the servers are in step (replication), and whether they hold the same tree',
      })
    else if (at === 0) await server.explainMissing(name)
    else
      await server.explainMissing(name, {
        code: 'nobody',
        cause: 'nobody was found here, either',
        cure: `the cause is told at ${without[0]?.server.url}`,
      })
  }
}

interface Answers {
  readonly checked: Outcome<PasswordAnswer> | undefined
  readonly groups: Outcome<GroupsAnswer> | undefined
  /** No password was asked for. */
  readonly assumed: boolean
}

/** What the directory has said, for whoever decides; what was not asked yet is asked of the server that had the entry. */
export function memorized(found: readonly Found[], { checked, groups, assumed }: Answers) {
  const answering = found.find(isFound) ?? found.find(({ outcome }) => outcome.ok) ?? found[0]
  if (answering === undefined) throw new TypeError('a directory has at least one server')
  const { server, outcome } = answering
  return {
    find: async () => said(outcome),
    read: async (dn: string) => said(outcome.ok ? await server.read(dn) : outcome),
    async checkPassword(): Promise<PasswordAnswer> {
      if (assumed) return { right: true }
      if (checked === undefined) throw new Fault('directory-unavailable', { about: 'no password was checked' })
      return said(checked)
    },
    groupsOf: async (entry: PersonEntry) => said(groups ?? (await server.groupsOf(entry))),
  }
}

function said<T>(outcome: Outcome<T>): T {
  if (outcome.ok) return outcome.value
  throw outcome.fault
}
