/**
 * One server of a directory, tried step by step: what was asked, how long it took, and why it failed. For the commands
 * that look for the cause of a failing sign-in.
 *
 * The questions are those of a sign-in, asked by the same code (directory.ts), of this one server. Not to forget: a
 * password is sent at most once, by whoever calls checkPassword(), since wrong ones lock people out.
 */
import { performance } from 'node:perf_hooks'
import { Fault } from '../kernel/fault.ts'
import { type DirectoryOptions, openDirectory } from '../ldap/directory.ts'
import { type DirectoryPlan, type DirectorySettings, planDirectory } from '../ldap/directory-plan.ts'
import type { Finding, GroupsAnswer, PasswordAnswer, PersonEntry } from '../ldap/person.ts'
import { openServers, type Servers } from '../ldap/servers.ts'
import { nothing } from './closer-look.ts'
import type { Diagnosis, Terms } from './diagnosis.ts'
import { whyNoGroups } from './missing-groups.ts'
import { whyNobody } from './missing-person.ts'
import { passwordCause } from './password-causes.ts'
import { createStepRows, type Outcome, type Step } from './step-rows.ts'

export interface Examination extends AsyncDisposable {
  readonly url: string
  readonly plan: DirectoryPlan
  readonly terms: Terms
  /** In the order in which they were done. */
  readonly steps: readonly Step[]
  /** For what the steps leave open; asks the same server, and tells of no step. */
  readonly servers: Servers
  /** What was found about the certificate of a server that is believed. */
  readonly remarks: readonly Diagnosis[]
  /** Connects, and signs in as the reader. */
  knock(): Promise<Outcome<void>>
  /** Connects only. @param refusedAt  the server at which the reader was refused: its password is not tried again */
  knockAsNobody(refusedAt: string): Promise<Outcome<void>>
  find(name: string): Promise<Outcome<Finding>>
  read(dn: string): Promise<Outcome<Finding>>
  checkPassword(entry: PersonEntry, password: string): Promise<Outcome<PasswordAnswer>>
  groupsOf(entry: PersonEntry): Promise<Outcome<GroupsAnswer>>
  /** Puts the cause to the step in which nobody was found. */
  explainMissing(name: string, known?: Diagnosis): Promise<void>
}

export type ExaminationOptions = Pick<DirectoryOptions, 'password' | 'trust' | 'ignoreCase' | 'clock'>

/** @param settings  that planDirectory() takes; of its URLs only `url` is asked */
export function openExamination(url: string, settings: DirectorySettings, options: ExaminationOptions): Examination {
  const alone = { ...settings, urls: [url] }
  const plan = requirePlan(alone)
  const { password, trust } = options
  const terms = termsOf(plan, options)
  const reader = plan.reader === undefined || password === undefined ? undefined : { dn: plan.reader, password }
  const servers = openServers({ ...plan, addresses: [terms.address], reader, trust })
  const { steps, unread, remarks, onStep, outcome } = createStepRows({ terms, trust, servers })
  const directory = openDirectory(alone, { ...options, onStep })
  const fail = (step: Step['step'], what: string, diagnosis: Diagnosis) =>
    void steps.push({ step, ok: false, what, diagnosis })

  function noted(found: Outcome<Finding>, what: string): Outcome<Finding> {
    if (!found.ok) return found
    if (found.value.kind === 'not-found')
      fail('entry', what, { code: 'nobody', cause: found.value.why, cure: 'look at the spelling' })
    else {
      const { dn, closed } = found.value.entry
      if (closed === undefined) steps.push({ step: 'entry', ok: true, what: dn })
      else fail('entry', dn, closedCause(closed))
    }
    return found
  }

  return {
    ...{ url, plan, terms, steps, servers, remarks },
    async knock() {
      const prepared = await outcome(() => directory.prepare())
      return prepared.ok ? outcome(() => directory.probe(), true) : prepared
    },
    async knockAsNobody(refusedAt) {
      const { username: _, ...unnamed } = alone
      await using stranger = openDirectory(unnamed, { ...options, password: undefined, onStep })
      const knocked = await outcome(() => stranger.probe(), true)
      if (!knocked.ok) return knocked
      const cause = `not tried: the reader account was refused at ${refusedAt}, and wrong passwords lock accounts`
      fail('reader', plan.reader ?? '', { code: 'reader-not-tried', cause, cure: 'mend it there first' })
      return { ok: false, fault: new Fault('directory-misconfigured', { about: `${url}: ${cause}` }) }
    },
    find: async name => noted(await outcome(() => directory.find(name)), name),
    read: async dn => noted(await outcome(() => directory.read(dn)), dn),
    async checkPassword(entry, password) {
      const started = performance.now()
      const since = steps.length
      const checked = await outcome(() => directory.checkPassword(entry, password))
      if (!checked.ok) return checked
      // What was asked for it is one row: the bind, on a connection of its own.
      const bind = steps.splice(since).find(({ step }) => step === 'bind')
      const right = checked.value.right
      steps.push({
        ...{ step: 'password', ok: right, milliseconds: bind?.milliseconds ?? performance.now() - started },
        what: entry.dn,
        ...(checked.value.right ? { detail: 'right' } : { diagnosis: passwordCause(checked.value, entry) }),
      })
      return checked
    },
    async groupsOf(entry) {
      const asked = await outcome(() => directory.groupsOf(entry))
      if (!asked.ok) return asked
      const { value } = asked
      if (value.kind === 'groups') {
        const detail = value.groups.length === 1 ? 'one group' : `${value.groups.length} groups`
        steps.push({ step: 'groups', ok: true, what: entry.dn, detail })
        return asked
      }
      const otherwise = { code: 'no-groups', cause: value.why, cure: 'look at realms.directory.newUserGroup' }
      const why = await whyNoGroups(entry, { plan, servers, why: value.why }).catch(nothing)
      fail('groups', entry.dn, why ?? otherwise)
      return asked
    },
    async explainMissing(name, known) {
      const at = steps.findIndex(({ step, ok, diagnosis }) => step === 'entry' && !ok && diagnosis?.code === 'nobody')
      const step = steps[at]
      if (step === undefined) return
      const diagnosis = known ?? (await whyNobody(name, { plan, servers, unread }).catch(nothing))
      if (diagnosis !== undefined) steps[at] = { ...step, diagnosis }
    },
    async [Symbol.asyncDispose]() {
      await directory[Symbol.asyncDispose]()
      await servers[Symbol.asyncDispose]()
    },
  }
}

const closedCause = (closed: string): Diagnosis => ({
  code: 'closed',
  cause: `nobody may come in with this entry: ${closed}`,
  cure: 'if the person may come in, open the account in the directory',
})

function requirePlan(settings: DirectorySettings): DirectoryPlan {
  const planned = planDirectory(settings)
  if (planned.ok) return planned.plan
  throw new TypeError('settings were not looked at before')
}

function termsOf({ addresses, ...plan }: DirectoryPlan, { trust }: ExaminationOptions): Terms {
  const [address] = addresses
  if (address === undefined) throw new TypeError('a URL is an address')
  const { startTls, reader, base, connectTimeout, readTimeout } = plan
  const showsCertificate = trust !== undefined && trust.shown !== ''
  return { address, startTls, reader, base, connectTimeout, readTimeout, showsCertificate }
}
