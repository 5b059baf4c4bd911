/**
 * `sallyport ldap test`, `find`, `groups`: the directory tried step by step, each of its servers by itself, and what the
 * gateway would decide in the end. Nothing is changed, neither there nor here.
 *
 * Not to forget: a password is sent to one server, once. Wrong ones are counted by the directory, and lock people out.
 */
import { PersonName } from '../config/scalars.ts'
import type { DirectoryAccount } from '../identity/directory-account.ts'
import { admissibleGroups } from '../identity/directory-groups.ts'
import type { LocalAccount } from '../identity/local-accounts.ts'
import { Fault } from '../kernel/fault.ts'
import type { Diagnosis } from '../ldap/diagnosis.ts'
import { type Examination, openExamination } from '../ldap/examination.ts'
import type { Finding, GroupsAnswer, PasswordAnswer, PersonEntry } from '../ldap/person.ts'
import { remarksOn } from '../ldap/remarks.ts'
import type { Outcome } from '../ldap/step-rows.ts'
import { readConfiguredDirectory } from './configured-directory.ts'
import { type Decision, decide } from './ldap-decision.ts'
import { tellExamined } from './ldap-text.ts'
import { askPassword, readPasswordFile } from './password-input.ts'
import { openPeople } from './people.ts'
import { CommandEnd, type Report } from './report.ts'

export interface ExamineArguments {
  user: string
  config?: string | undefined
  passwordFile?: string | undefined
}

export type Depth = 'find' | 'groups' | 'test'

/** All that came of it; for `--json` much of it as it stands. */
export interface Examined {
  readonly depth: Depth
  readonly name: string
  readonly servers: readonly Pick<Examination, 'url' | 'steps'>[]
  readonly entry: PersonEntry | undefined
  readonly groups: GroupsAnswer | undefined
  /** Names that the directory must not confer. */
  readonly dropped: readonly string[]
  readonly account: DirectoryAccount | undefined
  readonly local: LocalAccount | undefined
  readonly decision: Decision
  readonly remarks: readonly Diagnosis[]
}

export const examine =
  (depth: Depth) =>
  async (argv: ExamineArguments, report: Report): Promise<void> => {
    using people = openPeople(argv, report, 'read')
    const { settings, options, configuration } = readConfiguredDirectory(people.configuration, report)
    const { config } = configuration
    const name = people.called(argv.user)
    if (!PersonName.safeParse(name).success || !name.isWellFormed())
      throw new CommandEnd(2, `nobody can be called ${JSON.stringify(argv.user)}`)
    if (!settings.enabled)
      report.warn('realms.directory.enabled is not true: it is tried here, and the gateway does not ask it')
    let typed: string | undefined
    const password = async (): Promise<string> => {
      typed ??=
        argv.passwordFile === undefined
          ? await askPassword(`password of ${name}: `)
          : readPasswordFile(argv.passwordFile, report)
      return typed
    }

    await using open = new AsyncDisposableStack()
    const servers = settings.urls.map(url => open.use(openExamination(url, settings, options)))
    const found = await findOn(servers, name)
    const chosen = found.find(isFound)
    await explainMissing(found, name, chosen)
    const account = people.directory.find(name)
    const local = people.local.find(name)
    const isLocal = account === undefined && local !== undefined
    const entry = chosen?.outcome.value.entry
    const wants = depth === 'test' && (entry !== undefined || isLocal) ? await password() : undefined
    // To a local account of the name nothing is sent: the gateway would not, either.
    const checked =
      chosen === undefined || entry === undefined || wants === undefined || isLocal
        ? undefined
        : await chosen.server.checkPassword(entry, wants)
    const groups =
      chosen === undefined || entry === undefined || depth === 'find' ? undefined : await chosen.server.groupsOf(entry)
    const decision = await decide(name, wants, {
      ...{ config, accounts: people.directory, local: people.local },
      directory: memorized(found, { checked, groups, assumed: depth !== 'test' }),
    })
    const listed = groups?.ok === true ? groups.value : undefined
    const { realms, administrators } = config
    const { dropped } = admissibleGroups(listed?.kind === 'groups' ? listed.groups : [], {
      ...{ administrators, allowed: realms.directory.allowReserved },
    })
    const remarks = (await Promise.all(servers.map(server => remarksOn(server, realms.throttle.name)))).flat()
    const distinct = [...new Map(remarks.map(remark => [remark.cause, remark])).values()]
    tellExamined(
      { depth, name, servers, entry, groups: listed, dropped, account, local, decision, remarks: distinct },
      config,
      report,
    )
  }

interface Found {
  readonly server: Examination
  readonly outcome: Outcome<Finding>
}

/**
 * One after the other: once the reader has been refused, its password is not sent to the others, as each of them would
 * count it, and the account might be locked.
 */
async function findOn(servers: readonly Examination[], name: string): Promise<Found[]> {
  const found: Found[] = []
  let refusedAt: string | undefined
  for (const server of servers) {
    const knocked = await (refusedAt === undefined ? server.knock() : server.knockAsNobody(refusedAt))
    if (server.steps.some(({ step, ok }) => step === 'reader' && !ok)) refusedAt ??= server.url
    found.push({ server, outcome: knocked.ok ? await server.find(name) : knocked })
  }
  return found
}

type Has = Found & { readonly outcome: { readonly ok: true; readonly value: Extract<Finding, { kind: 'found' }> } }
const isFound = (found: Found): found is Has => found.outcome.ok && found.outcome.value.kind === 'found'

/** Once in full; where another server has the entry, or has been asked why, in a word. */
async function explainMissing(found: readonly Found[], name: string, chosen: Has | undefined): Promise<void> {
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
function memorized(found: readonly Found[], { checked, groups, assumed }: Answers) {
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
