/**
 * Counts failed sign-ins: for each name, each address, and altogether. Past the limit nothing is even tried.
 *
 * What counts is a refusal that looks like a wrong password, whether a bind was sent or not: if unknown and locked names
 * did not count, the throttle would tell who exists. What is asked of nobody (an empty password), what broke, and a right
 * password that has expired do not count.
 *
 * Not to forget, on both sides of the door:
 *   - strangers must not lock an account of the directory. The failures of a name are forgotten only when it has been
 *     left alone for the whole time, as directories do it: a window from the first failure would let twice as many pass
 *     at its end. Besides, the refused binds of one entry are counted, whatever names it answers to.
 *   - strangers must not lock the person out of the gate. For somebody who has come in lately they may use up all tries
 *     but two: those are left for where she came in from, also when address or everyone have none. A name has `failures`
 *     tries altogether, so that is what the directory must bear.
 *   - strangers must not learn who comes in here. Of every name they have `failures` tries and no more, whoever else has
 *     failed or come in meanwhile; those beyond what is left for them are asked of nobody, and are wrong.
 *
 * Source: OWASP authentication (throttling); RFC 9110 10.2.3 (Retry-After); lockoutObservationWindow of Active Directory,
 * pwdFailureCountInterval of slapo-ppolicy(5).
 */
import type { ThrottleSection } from '../config/realm.ts'
import { ignoreFault } from '../kernel/fault.ts'
import { addressKey } from '../listener/client-address.ts'
import { type Refused, refused } from './answer.ts'
import type { FailureCounter, FailureCounts } from './failure-counts.ts'
import { nameKey } from './name-key.ts'

/** Tries that are left for familiar addresses. */
export const familiarTries = 2

export interface Throttle {
  /** To be awaited before anything below is asked, where several gateways count together; undefined: it need not be. */
  learn(name: string, address: string): Promise<void> | undefined
  /** Undefined: try it, or pretend to. */
  refusal(name: string, address: string): Refused | undefined
  /** Whether the tries that are left are kept for where this person came in before: it is wrong without being asked. */
  isKept(name: string, address: string): boolean
  /**
   * @param name   undefined: the same was asked for another address at the same time, and counts for the name there
   * @param asked  false: it was kept
   */
  failed(name: string | undefined, address: string, asked?: boolean): void
  succeeded(name: string, address: string): void
  /** Whether this person has come in from there lately. */
  isFamiliar(name: string, address: string): boolean
  /** @param entry  one text for one entry of the directory */
  readonly binds: {
    learn(entry: string): Promise<void> | undefined
    /**
     * Undefined: it may be sent. Else why not, for the audit trail.
     *
     * @param isFamiliar  strangers leave the last tries to whom they belong
     */
    refusal(entry: string, isFamiliar: boolean): string | undefined
    refused(entry: string): void
    taken(entry: string): void
  }
}

const everyone = 'everyone'

export function createThrottle(counts: FailureCounts, limits: ThrottleSection): Throttle {
  const { byName, byStrangers, byFamiliar, byEntry, byAddress, byEveryone, familiar } = counts

  /** @param isOwn  whoever asks comes from where the person came in before, or is the only one to be known */
  const nameLimit = (key: string, isOwn: boolean): number =>
    isOwn || !familiar.knows(key) ? limits.name.failures : Math.max(1, limits.name.failures - familiarTries)

  const spentByOthers = (from: string) =>
    [
      { by: 'this address', failures: byAddress.of(from), limit: limits.address.failures },
      { by: 'everyone', failures: byEveryone.of(everyone), limit: limits.everyone.failures },
    ].filter(({ failures, limit }) => failures.count >= limit)

  return {
    learn(name, address) {
      const key = nameKey(name)
      const ofName = (['name', 'strangers', 'familiar'] as const).map(kind => ({ kind, key }))
      const others = [
        { kind: 'address', key: addressKey(address) } as const,
        { kind: 'everyone', key: everyone } as const,
      ]
      return counts.learn?.([...ofName, ...others], [key])
    },
    refusal(name, address) {
      const [key, from] = [nameKey(name), addressKey(address)]
      const isOwn = familiar.has(key, from)
      const ofName = (isOwn ? byName : byStrangers).of(key)
      const hasNone = ofName.count >= limits.name.failures
      const others = spentByOthers(from)
      const own = byFamiliar.of(key)
      const mayPass = isOwn && own.count < familiarTries
      const spent = [...(hasNone ? [{ by: 'this name', failures: ofName }] : []), ...(mayPass ? [] : others)]
      const [first] = spent
      if (first === undefined) return undefined
      const left = Math.max(...spent.map(({ failures }) => failures.left))
      return refused('throttled', `${first.failures.count} failures by ${first.by}`, {
        claimed: name,
        retryAfter: Math.max(1, Math.ceil(left / 1000)),
      })
    },
    isKept(name, address) {
      const key = nameKey(name)
      return byName.of(key).count >= nameLimit(key, familiar.has(key, addressKey(address)))
    },
    failed(name, address, asked = true) {
      const from = addressKey(address)
      // One that cannot be written counts all the same, and so do the others behind it.
      let fault: unknown
      const count = (counter: FailureCounter, key: string, within: number, anew: boolean) => {
        try {
          counter.add(key, within, anew)
        } catch (thrown) {
          ignoreFault(thrown)
          fault ??= thrown
        }
      }
      if (name !== undefined) {
        const key = nameKey(name)
        if (asked) count(byName, key, limits.name.within, true)
        if (!familiar.has(key, from)) count(byStrangers, key, limits.name.within, true)
        else if (spentByOthers(from).length > 0) count(byFamiliar, key, limits.name.within, true)
      }
      count(byAddress, from, limits.address.within, false)
      count(byEveryone, everyone, limits.everyone.within, false)
      if (fault !== undefined) throw fault
    },
    succeeded(name, address) {
      const key = nameKey(name)
      byName.forget(key)
      // Not byStrangers: who waits for its end must not see that somebody has come in.
      byFamiliar.forget(key)
      familiar.add(key, addressKey(address))
    },
    isFamiliar: (name, address) => familiar.has(nameKey(name), addressKey(address)),
    binds: {
      learn: entry => counts.learn?.([{ kind: 'entry', key: entry }], [entry]),
      refusal(entry, isFamiliar) {
        const { count } = byEntry.of(entry)
        const isSpent = count >= nameLimit(entry, isFamiliar)
        return isSpent ? `not asked: ${count} binds of this entry were refused, under whatever names` : undefined
      },
      refused: entry => byEntry.add(entry, limits.name.within, true),
      taken(entry) {
        byEntry.forget(entry)
        // From wherever: that it has come in at all is what leaves tries for its person.
        familiar.add(entry, '')
      },
    },
  }
}
