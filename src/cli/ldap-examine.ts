/**
 * `sallyport ldap test`, `find`, `groups`: the directory tried step by step, each of its servers by itself, and what the
 * gateway would decide in the end. Nothing is changed, neither there nor here.
 *
 * Not to forget: a password is sent to one server, once. Wrong ones are counted by the directory, and lock people out.
 */
import { PersonName } from '../config/scalars.ts'
import type { Diagnosis } from '../doctor/diagnosis.ts'
import { type Examination, openExamination } from '../doctor/examination.ts'
import { remarksOn } from '../doctor/remarks.ts'
import type { DirectoryAccount } from '../identity/directory-account.ts'
import { admissibleGroups } from '../identity/directory-groups.ts'
import type { LocalAccount } from '../identity/local-accounts.ts'
import type { GroupsAnswer, PersonEntry } from '../ldap/person.ts'
import { readConfiguredDirectory } from './configured-directory.ts'
import { type Decision, decide, decideForHolder, type HolderDecision } from './ldap-decision.ts'
import { explainMissing, findOn, isFound, isLocalOnly, memorized, questionFor } from './ldap-servers.ts'
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
  /** Undefined: no holder of a certificate is looked up. */
  readonly byCertificate: HolderDecision | undefined
  readonly remarks: readonly Diagnosis[]
}

export const examine =
  (depth: Depth) =>
  async (argv: ExamineArguments, report: Report): Promise<void> => {
    await using people = await openPeople(argv, report, 'read')
    const { settings, options, configuration } = readConfiguredDirectory(people.configuration, report)
    const { config } = configuration
    const name = people.called(argv.user)
    if (!PersonName.safeParse(name).success || !name.isWellFormed())
      throw new CommandEnd(2, `nobody can be called ${JSON.stringify(argv.user)}`)
    if (!settings.enabled)
      report.warn('realms.directory.enabled is not true: it is tried here, and the gateway does not ask it')
    const given = argv.passwordFile === undefined ? undefined : readPasswordFile(argv.passwordFile, report)

    await using open = new AsyncDisposableStack()
    const servers = settings.urls.map(url => open.use(openExamination(url, settings, options)))
    const account = people.directory.find(name)
    const local = people.local.find(name)
    const found = await findOn(servers, questionFor(name, { config, account, local }))
    const chosen = found.find(isFound)
    await explainMissing(found, name)
    const entry = chosen?.outcome.value.entry
    const isAsked = depth === 'test' && (entry !== undefined || isLocalOnly({ account, local }))
    const password = isAsked ? (given ?? (await askPassword(`password of ${name}: `))) : undefined
    const checked =
      chosen && password !== undefined
        ? await chosen.server.checkPassword(chosen.outcome.value.entry, password)
        : undefined
    const groups = chosen && depth !== 'find' ? await chosen.server.groupsOf(chosen.outcome.value.entry) : undefined
    const parts = {
      ...{ config, accounts: people.directory, local: people.local },
      directory: memorized(found, { checked, groups, assumed: depth !== 'test' }),
    }
    const decision = await decide(name, password, parts)
    const byCertificate = await decideForHolder(name, parts)
    const listed = groups?.ok === true ? groups.value : undefined
    const { realms, administrators } = config
    const { dropped } = admissibleGroups(listed?.kind === 'groups' ? listed.groups : [], {
      ...{ administrators, allowed: realms.directory.allowReserved },
    })
    const remarks = [
      ...(await Promise.all(servers.map(server => remarksOn(server, realms.throttle.name)))).flat(),
      ...(entry?.locked === undefined || depth === 'test' ? [] : [lockedRemark(entry.locked)]),
    ]
    const distinct = [...new Map(remarks.map(remark => [remark.cause, remark])).values()]
    tellExamined(
      {
        ...{ depth, name, servers, entry, groups: listed, dropped, account, local, decision, byCertificate },
        remarks: distinct,
      },
      config,
      report,
    )
  }

const lockedRemark = (locked: string): Diagnosis => ({
  code: 'locked',
  cause: `the entry is ${locked}: the directory may refuse even the right password, and holders of certificates are refused`,
  cure: 'unlock it in the directory, or wait; then look who keeps trying',
})
