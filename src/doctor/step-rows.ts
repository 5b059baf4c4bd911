/**
 * The steps that the servers tell of while they are asked, as rows to read: with what came of each, and the cause of the
 * one in which it ended.
 *
 * Not to forget: a step that failed and did not end anything (a resting connection that had died) is no row.
 */
import { Fault } from '../kernel/fault.ts'
import type { DirectoryStep } from '../ldap/failure.ts'
import type { OnStep, Servers } from '../ldap/servers.ts'
import type { PeerTrust } from '../tls/peer-trust.ts'
import { closerLook, examine, nothing } from './closer-look.ts'
import type { Diagnosis, Terms } from './diagnosis.ts'
import { baseCause, readRoot } from './root-entry.ts'
import { otherCause } from './step-causes.ts'
import { endingSoon, shownText } from './tls-causes.ts'

export type StepName = DirectoryStep | 'starttls' | 'root' | 'entry' | 'password' | 'groups'

export interface Step {
  readonly step: StepName
  readonly ok: boolean
  /** Absent: nothing was asked for it. */
  readonly milliseconds?: number
  /** A place, a DN, a filter; never a secret. */
  readonly what: string
  /** What came of it. */
  readonly detail?: string
  /** Always there where it failed. */
  readonly diagnosis?: Diagnosis
}

/** A Fault is an outcome here: the steps have said why. */
export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: Fault }

export interface StepRows {
  readonly onStep: OnStep
  /** In the order in which they were done. */
  readonly steps: Step[]
  /** Where parts of the tree lie that were left unread: host:port. */
  readonly unread: string[]
  /** Of a certificate that is believed all the same. */
  readonly remarks: Diagnosis[]
  /** @param isKnock  a search is a question for the root entry */
  outcome<T>(work: () => Promise<T>, isKnock?: boolean): Promise<Outcome<T>>
}

export interface RowParts {
  readonly terms: Terms
  readonly trust: PeerTrust | undefined
  /** For a closer look. */
  readonly servers: Pick<Servers, 'search'>
}

interface Told {
  readonly step: DirectoryStep
  readonly milliseconds: number
  readonly what: string
  readonly failed: unknown
}

export function createStepRows({ terms, trust, servers }: RowParts): StepRows {
  const told: Told[] = []
  const steps: Step[] = []
  const unread: string[] = []
  const remarks: Diagnosis[] = []

  const nameOf = (step: DirectoryStep): StepName => (step === 'tls' && !terms.address.secure ? 'starttls' : step)

  /** Connections beside the first are made as it was, and told of only where one fails. */
  const isAgain = (step: DirectoryStep): boolean =>
    /^(connect|tls|reader)$/.test(step) && steps.some(before => before.ok && before.step === nameOf(step))

  async function rows(since: number, fault: Fault | undefined, isKnock: boolean): Promise<void> {
    const all = told.slice(since)
    const last = fault === undefined ? undefined : all.findLast(({ failed }) => failed !== undefined)
    for (const one of all) {
      const { step, milliseconds, what, failed } = one
      const isLast = one === last
      if (!isLast && (isAgain(step) || failed !== undefined)) continue
      const diagnosis = isLast ? await causeOf(one) : undefined
      const detail = step === 'tls' && !isLast ? await whatIsShown() : undefined
      const below = step === 'search' && terms.base !== '' ? `${what} below ${terms.base}` : what
      steps.push({
        ...{ ok: !isLast, milliseconds },
        ...(isKnock && step === 'search'
          ? { step: 'root', what: 'what the server says of itself' }
          : { step: nameOf(step), what: below }),
        ...(detail === undefined ? {} : { detail }),
        ...(diagnosis === undefined ? {} : { diagnosis }),
      })
    }
    if (fault !== undefined && last === undefined)
      steps.push({ ...{ step: 'search', ok: false, what: '' }, diagnosis: otherCause(fault) })
  }

  async function causeOf(one: Told): Promise<Diagnosis> {
    const found = await closerLook(one, terms, trust)
    const root = found.code === 'no-such-base' ? await readRoot(servers).catch(nothing) : undefined
    return root === undefined ? found : baseCause(found, root, terms)
  }

  async function whatIsShown(): Promise<string | undefined> {
    const seen = await examine(terms, trust).catch(nothing)
    const soon = seen && endingSoon(seen, terms)
    if (soon !== undefined) remarks.push(soon)
    return seen && shownText(seen)
  }

  async function outcome<T>(work: () => Promise<T>, isKnock = false): Promise<Outcome<T>> {
    const since = told.length
    const done = await work().then(
      (value): Outcome<T> => ({ ok: true, value }),
      (thrown: unknown): Outcome<T> => {
        if (thrown instanceof Fault) return { ok: false, fault: thrown } // the outcome is what was asked for
        throw thrown
      },
    )
    await rows(since, done.ok ? undefined : done.fault, isKnock)
    return done
  }

  return {
    ...{ steps, unread, remarks },
    onStep(step, milliseconds, what, failed) {
      const [, host] = /^not followed: (.*)$/.exec(what) ?? []
      if (step === 'referral' && host !== undefined) unread.push(host)
      else told.push({ step, milliseconds, what, failed })
    },
    outcome,
  }
}
