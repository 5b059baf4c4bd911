/**
 * A name and a password in, an Answer out: the throttle, then the realm that alone may answer for this name.
 *
 *   an account of the directory   the directory alone, also where a local account of that name lies dormant
 *   a local account               users.yaml alone: whoever may add an entry to the directory could else become the
 *                                 gateway's own administrator
 *   neither                       the directory, which may make the account; else refused
 *
 * To the person unknown, wrong, locked, closed, moved and without a group are one text and one time; the detail is for
 * the audit trail. A directory that cannot answer is a Fault, and no other realm is asked instead.
 *
 * Source: OMERO chainedPasswordProvider, chainedPasswordProvider431; RFC 4513 5.1.2 (no empty password); OWASP
 * authentication.
 */
import type { RealmsSection } from '../config/realm.ts'
import { PersonName } from '../config/scalars.ts'
import { foldName } from '../kernel/fold-name.ts'
import { takeTurns, takeTurnsByKey } from '../kernel/turns.ts'
import type { PasswordNotice } from '../ldap/person.ts'
import { addressKey } from '../listener/client-address.ts'
import { type Proven, type Refused, refused } from './answer.ts'
import { moment, untilNextStep, usualStep } from './answer-grid.ts'
import { createCredentialKey } from './credential-key.ts'
import type { DirectoryAccounts } from './directory-account.ts'
import { groupNames } from './directory-admission.ts'
import type { DirectoryLogin, PasswordDirectory } from './directory-login.ts'
import { type LocalAccounts, usablePassword } from './local-accounts.ts'
import { nameKey } from './name-key.ts'
import { isUnchanged, type Standing, standingThen } from './standing.ts'
import type { Throttle } from './throttle.ts'

export interface ProvenPassword extends Proven {
  /** Absent: there is nothing that the person should know. */
  readonly notice?: PasswordNotice
}

export interface PasswordCheck {
  /**
   * May throw Fault('directory-unavailable'), ('directory-misconfigured'), ('state-unavailable') and ('overloaded').
   *
   * @param address  the peer's IP address, for the throttle
   */
  verify(name: string, password: string, address: string): Promise<ProvenPassword | Refused>
}

export interface PasswordRealms {
  readonly provider: RealmsSection['passwordProvider']
  readonly ignoreCase?: boolean
  readonly local: Pick<LocalAccounts, 'find' | 'verify'>
  readonly accounts: Pick<DirectoryAccounts, 'find'>
  /** Absent: `realms.directory` is not enabled. */
  readonly directory?:
    | { readonly login: DirectoryLogin; readonly pretendToCheck: PasswordDirectory['pretendToCheck'] }
    | undefined
  readonly standing: Standing
  readonly throttle: Throttle
  /** Milliseconds; refusals are told at the next multiple of it. Absent: 500. */
  readonly grid?: number
}

/** One try, after the name was brought into one spelling. */
interface Try {
  readonly name: string
  readonly password: string
  readonly address: string
  readonly isFamiliar: boolean
}

/** Who is trying the same name and password just now, and what became of it. */
interface Pair {
  users: number
  readonly asked: Told
  /** Of those for whom no tries are left that are not kept for somebody else. */
  readonly kept: Told
}

interface Told {
  answer?: ProvenPassword | Refused
  endedAt: number
}

const toldSince = ({ answer, endedAt }: Told, arrived: number) => (endedAt >= arrived ? answer : undefined)

/** Milliseconds in a queue. A login page that takes longer is a broken one. */
const longestWait = 60_000

type Way = { readonly to: 'local' | 'directory' } | { readonly to: 'nobody'; readonly why: string }

export function createPasswordCheck(realms: PasswordRealms): PasswordCheck {
  const { provider, ignoreCase = false, local, accounts, directory, standing, throttle, grid = usualStep } = realms
  // One try at a time for each name: else a hundred guesses are under way before the first has failed.
  const inTurnOf = takeTurnsByKey({ waiting: 128, within: longestWait, about: 'many sign-ins under one name' })
  // Whoever comes from where they came from before does not stand in the queue of strangers.
  const places = { familiar: placesFor(8), strange: placesFor(16) }
  const keyOf = createCredentialKey()
  const pairs = new Map<string, Pair>()
  const underWay = new Map<string, Promise<ProvenPassword | Refused>>()
  const wrong = (name: string, detail: string): Refused => refused('wrong-credentials', detail, { claimed: name })

  function wayOf(name: string): Way {
    const nobody = (why: string): Way => ({ to: 'nobody', why })
    if (accounts.find(name) !== undefined) {
      if (provider === 'local') return nobody('an account of the directory, but only local accounts are let in')
      return directory === undefined ? nobody('an account of the directory, which is not asked') : { to: 'directory' }
    }
    if (provider === 'local') return { to: 'local' }
    if (local.find(name) !== undefined)
      return provider === 'directory' ? nobody('a local account, but only the directory is asked') : { to: 'local' }
    if (directory !== undefined) return { to: 'directory' }
    return provider === 'directory' ? nobody('only the directory is asked, and there is none') : { to: 'local' }
  }

  /** @param before  what the account was when it was chosen: it may be changed while the password is being checked */
  async function askLocal({ name, password }: Try, before: string | undefined): Promise<ProvenPassword | Refused> {
    const answer = await local.verify(name, password)
    if (answer.kind !== 'right') return wrong(name, `local account: ${answer.kind}`)
    const groups = new Set(answer.account.groups)
    return {
      kind: 'proven',
      principal: { name, realm: 'local', groups, proof: { kind: 'password', standing: before } },
    }
  }

  async function askDirectory(login: DirectoryLogin, { name, password, isFamiliar }: Try) {
    const verdict = await login(name, password, isFamiliar)
    if (verdict.kind === 'out') return refused(verdict.reason, verdict.why, { claimed: name })
    const { account, notice } = verdict
    const rests = standing(account.name)
    // Locked in this very moment.
    if (rests === undefined) return wrong(name, 'directory: the account is locked here')
    const proof = { kind: 'password', standing: rests } as const
    return {
      kind: 'proven',
      principal: { name: account.name, realm: 'directory', groups: groupNames(account), proof },
      ...(notice === undefined ? {} : { notice }),
    } satisfies ProvenPassword
  }

  /** The same work, and wrong whatever came: the tries that are left belong to somebody else. */
  async function pretend({ name, password }: Try, way: Way): Promise<Refused> {
    if (way.to === 'local') await local.verify(name, password)
    else await directory?.pretendToCheck()
    return wrong(name, 'not asked: the tries that are left are kept for where this person came in before')
  }

  async function ask(one: Try): Promise<ProvenPassword | Refused> {
    const before = standing(one.name)
    // Chosen anew: a command may have handed the name over to the other realm while this one stood in the queue.
    const way = wayOf(one.name)
    if (way.to === 'local') return askLocal(one, before)
    if (way.to === 'directory' && directory !== undefined) return askDirectory(directory.login, one)
    if (directory !== undefined && provider !== 'local') await directory.pretendToCheck()
    return wrong(one.name, way.to === 'nobody' ? way.why : 'there is no directory')
  }

  function count({ name, address }: Try, answer: ProvenPassword | Refused, isShared: boolean, isKept: boolean): void {
    if (answer.kind === 'proven') throttle.succeeded(name, address)
    // What has expired was right.
    else if (answer.reason === 'wrong-credentials') throttle.failed(isShared ? undefined : name, address, !isKept)
  }

  /**
   * The same name and password is asked once for all who come with it while it is being asked, from wherever. That is no
   * way past the throttle: each address is judged by its own count before it hears the answer, and the failure counts for
   * each of them, though for the name only once. What the throttle itself says to one is never told to another.
   */
  async function answerTogether(one: Try, pair: Pair, arrived: number): Promise<ProvenPassword | Refused> {
    await throttle.learn(one.name, one.address)
    const stopped = throttle.refusal(one.name, one.address)
    if (stopped !== undefined) return stopped
    const isKept = throttle.isKept(one.name, one.address)
    const shared = toldSince(pair.asked, arrived) ?? (isKept ? toldSince(pair.kept, arrived) : undefined)
    const answer = shared ?? (await (isKept ? pretend(one, wayOf(one.name)) : ask(one)))
    if (shared === undefined) Object.assign(isKept ? pair.kept : pair.asked, { answer, endedAt: moment() })
    count(one, answer, shared !== undefined, isKept)
    return answer
  }

  async function tryOnce(one: Try, hash: string): Promise<ProvenPassword | Refused> {
    const arrived = moment()
    const pair = pairs.get(hash) ?? { users: 0, asked: { endedAt: 0 }, kept: { endedAt: 0 } }
    pairs.set(hash, pair)
    pair.users++
    const way = wayOf(one.name)
    const place = places[one.isFamiliar ? 'familiar' : 'strange']
    try {
      const answer = await inTurnOf(`${nameKey(one.name)} ${one.isFamiliar}`, () =>
        place[way.to](() => answerTogether(one, pair, arrived)),
      )
      // Hashing once for those who are not local too: else the time tells which names are.
      const hashes = way.to !== 'local' && provider !== 'directory'
      if (hashes && answer.kind === 'refused' && answer.reason !== 'throttled')
        await place.local(() => local.verify(one.name, one.password))
      return answer
    } finally {
      pair.users--
      if (pair.users === 0) pairs.delete(hash)
    }
  }

  async function together(one: Try): Promise<ProvenPassword | Refused> {
    const stopped = throttle.refusal(one.name, one.address)
    if (stopped !== undefined) return stopped
    const hash = keyOf(one.name, one.password)
    const flight = `${hash} ${addressKey(one.address)}`
    const pending = underWay.get(flight)
    if (pending !== undefined) return pending
    const started = tryOnce(one, hash).finally(() => underWay.delete(flight))
    underWay.set(flight, started)
    return started
  }

  return {
    async verify(typed, password, address) {
      const arrived = moment()
      const name = ignoreCase ? foldName(typed) : typed
      if (!PersonName.safeParse(name).success || !name.isWellFormed())
        return refused('wrong-credentials', 'no name, or one that nobody can have')
      if (!usablePassword(password)) return wrong(name, 'an empty or impossible password, asked of nobody')
      await throttle.learn(name, address)
      const said = await together({ name, password, address, isFamiliar: throttle.isFamiliar(name, address) })
      const isOver = said.kind === 'proven' && !isUnchanged(standingThen(said.principal), standing(said.principal.name))
      const answer = isOver ? wrong(name, 'the account was changed while the password was being checked') : said
      if (answer.kind === 'refused' && answer.reason !== 'throttled') await untilNextStep(grid, arrived)
      return answer
    },
  }
}

/** Local accounts do not wait behind the directory: they are for the day on which it hangs. */
function placesFor(atOnce: number) {
  const local = takeTurns({
    atOnce: 2,
    waiting: 256,
    within: longestWait,
    about: 'many sign-ins of local accounts at once',
  })
  const directory = takeTurns({ atOnce, waiting: 256, within: longestWait, about: 'many sign-ins at once' })
  return { local, directory, nobody: directory }
}
