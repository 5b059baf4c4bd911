/**
 * What the directory said of people, remembered by name; asked again in the background when it has become old.
 *
 * A name is asked once at a time, however many wait. While the directory does not answer, what it said last goes on to
 * count, and a name that was never asked is a Fault: never a denial, and nobody is let in. Not to forget: the memory
 * outlives a reload, unless the directory is another one; the account in the state is looked at each time.
 */
import { Fault } from '../kernel/fault.ts'
import { type InTurn, takeTurns } from '../kernel/turns.ts'
import type { DirectoryAccounts } from './directory-account.ts'
import { type Out, type Verdict, verdictHere } from './directory-verdict.ts'
import type { LocalAccounts } from './local-accounts.ts'

interface Remembered {
  readonly out: Out | undefined
  readonly askedAt: number
  /** Came with a certificate; else only looked after. */
  held: boolean
}

/** By name; who was not asked for longest is forgotten first. */
export interface VerdictMemory extends Disposable {
  readonly answers: Map<string, Remembered>
}

export const createVerdictMemory = (): VerdictMemory => ({
  answers: new Map(),
  [Symbol.dispose]() {
    this.answers.clear()
  },
})

export interface Verdicts {
  /** Asks nobody now, and in the background where that is due. Undefined: the directory was never asked. */
  known(name: string): Verdict | undefined
  /** The same, asked now where it was never asked, or too long ago. May throw the Faults of Directory. */
  of(name: string): Verdict | Promise<Verdict>
  /** Asks in the background, unless it is being asked, or the directory did not answer a moment ago. */
  again(name: string): void
  /** Milliseconds since 1970; undefined: never. */
  askedAt(name: string): number | undefined
  /** The same of a question that got no answer, if there was none since. */
  failedAt(name: string): number | undefined
}

export interface VerdictsParts {
  readonly ask: (name: string) => Promise<Verdict>
  readonly accounts: Pick<DirectoryAccounts, 'find'>
  readonly local: Pick<LocalAccounts, 'find'>
  readonly memory: VerdictMemory
  /** Milliseconds that an answer counts without being asked again. */
  readonly recheck: number
  readonly now: () => number
  /** Told of each answer. `wasHolder`: has been let in by a certificate before. */
  readonly answered: (name: string, verdict: Verdict, wasHolder: boolean) => void
  /** Told once for each outage. */
  readonly silent: (fault: Fault) => void
  readonly capacity?: number
}

/** Whom an administrator has let in a moment ago shall not have to wait for long. */
const refusalsCount = 60_000
/** Milliseconds of silence after a directory did not answer; whoever was never asked for is asked all the same. */
const pause = 10_000

export function createVerdicts(parts: VerdictsParts): Verdicts {
  const { accounts, local, recheck, now, capacity = 10_000 } = parts
  const { answers } = parts.memory
  const underWay = new Map<string, Promise<Verdict>>()
  const failed = new Map<string, number>()
  const ahead = takeTurns({ atOnce: 16, waiting: 1_024, about: 'many holders of certificates to look up' })
  const behind = takeTurns({ atOnce: 4, waiting: 100_000, about: 'many people to look after' })
  let silence: { readonly since: number; readonly fault: Fault } | undefined

  const ageOf = ({ askedAt }: Remembered) => Math.abs(now() - askedAt)
  const lasts = ({ out }: Remembered) => (out === undefined ? recheck : Math.min(recheck, refusalsCount))
  const isSilent = () => silence !== undefined && Math.abs(now() - silence.since) < Math.min(pause, recheck)

  function remember(name: string, verdict: Verdict, held: boolean): void {
    const before = answers.get(name)
    answers.delete(name)
    const out = verdict.kind === 'out' ? verdict : undefined
    answers.set(name, { out, askedAt: now(), held: held || before?.held === true })
    const [oldest] = answers.keys()
    if (answers.size > capacity && oldest !== undefined) answers.delete(oldest)
    try {
      parts.answered(name, verdict, before?.held === true && before.out === undefined)
    } catch (fault) {
      // Sessions that could not be ended now must not go on until the next look of those who were asked.
      answers.delete(name)
      throw fault
    }
  }
  async function askDirectory(name: string): Promise<Verdict> {
    try {
      const verdict = await parts.ask(name)
      silence = undefined
      failed.delete(name)
      return verdict
    } catch (thrown) {
      failed.delete(name)
      failed.set(name, now())
      const [oldest] = failed.keys()
      if (failed.size > capacity && oldest !== undefined) failed.delete(oldest)
      if (thrown instanceof Fault && thrown.code.startsWith('directory-')) {
        if (silence === undefined) parts.silent(thrown)
        silence = { since: now(), fault: thrown }
      }
      throw thrown
    }
  }
  function inLane(lane: InTurn, name: string, held: boolean): Promise<Verdict> {
    const running = underWay.get(name)
    if (running !== undefined) return running
    const started = lane(() => {
      // Those in the queue behind would find out the same, each after its own timeout.
      if (lane === behind && silence !== undefined && isSilent()) throw silence.fault
      return askDirectory(name)
    })
      .then(verdict => {
        remember(name, verdict, held)
        return verdict
      })
      .finally(() => underWay.delete(name))
    underWay.set(name, started)
    return started
  }
  const ask = (name: string) => inLane(ahead, name, true)
  function again(name: string, held = false): void {
    if (isSilent() || underWay.has(name)) return
    void inLane(behind, name, held).catch((thrown: unknown) => {
      // What was known goes on to count, and is asked for again later.
      if (!(thrown instanceof Fault)) throw thrown
    })
  }
  /** What counts until the directory says otherwise. */
  function look(name: string): { readonly verdict: Verdict; readonly entry: Remembered | undefined } | undefined {
    const account = accounts.find(name)
    const here = verdictHere(name, account, local)
    if (here !== undefined) return { verdict: here, entry: undefined }
    const entry = answers.get(name)
    if (entry !== undefined) entry.held = true
    if (entry?.out !== undefined) return { verdict: entry.out, entry }
    // Without an account it was removed here, and the directory is asked as at a first visit.
    return entry === undefined || account === undefined ? undefined : { verdict: { kind: 'in', account }, entry }
  }

  return {
    known(name) {
      const found = look(name)
      if (found === undefined || (found.entry !== undefined && ageOf(found.entry) >= lasts(found.entry)))
        again(name, true)
      return found?.verdict
    },
    of(name) {
      const found = look(name)
      if (found === undefined) return ask(name)
      const { verdict, entry } = found
      if (entry === undefined || ageOf(entry) < lasts(entry)) return verdict
      if (ageOf(entry) < 2 * recheck || isSilent()) {
        again(name)
        return verdict
      }
      // Nobody has come as them for long: what was said yesterday must not let in who was disabled since.
      return ask(name).catch((thrown: unknown) => {
        if (thrown instanceof Fault) return verdict
        throw thrown
      })
    },
    again: name => again(name),
    askedAt: name => answers.get(name)?.askedAt,
    failedAt: name => failed.get(name),
  }
}
