/**
 * Counts failed sign-ins: for each name, each address, and altogether. Past the limit nothing is even tried.
 *
 * Only failures count, and success forgets those of the name. A name is stopped here long before a directory would lock
 * its account, so that strangers cannot lock people out of everything else. Memory is bounded by the limit for all
 * together: only failures are remembered, and no more of them than that.
 *
 * Source: OWASP authentication (throttling); RFC 9110 10.2.3 (Retry-After); RFC 6177 (an IPv6 site holds a /64 at least).
 */
import { createHash } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { type Refused, refused } from './answer.ts'

export interface Limit {
  readonly failures: number
  /** Milliseconds from the first failure. */
  readonly within: number
}

export interface ThrottleLimits {
  readonly name: Limit
  /** Many people may stand behind one address. */
  readonly address: Limit
  readonly everyone: Limit
}

export const usualLimits: ThrottleLimits = {
  name: { failures: 5, within: 5 * 60_000 },
  address: { failures: 50, within: 5 * 60_000 },
  everyone: { failures: 1200, within: 60_000 },
}

export interface Throttle {
  /** Undefined: try it. */
  refusal(name: string, address: string): Promise<Refused | undefined>
  failed(name: string, address: string): Promise<void>
  succeeded(name: string): Promise<void>
}

export function createThrottle(limits: ThrottleLimits = usualLimits): Throttle {
  const limiter = ({ failures, within }: Limit) =>
    new RateLimiterMemory({ keyPrefix: '', points: failures, duration: within / 1000 })
  const [byName, byAddress, byAll] = [limiter(limits.name), limiter(limits.address), limiter(limits.everyone)]

  return {
    async refusal(name, address) {
      const counts = [
        { by: 'this name', limiter: byName, key: nameKey(name) },
        { by: 'this address', limiter: byAddress, key: addressKey(address) },
        { by: 'everyone', limiter: byAll, key: 'all' },
      ]
      for (const { by, limiter, key } of counts) {
        const known = await limiter.get(key)
        if (known === null || known.msBeforeNext <= 0 || known.consumedPoints < limiter.points) continue
        const retryAfter = Math.max(1, Math.ceil(known.msBeforeNext / 1000))
        return refused('throttled', `${known.consumedPoints} failures by ${by}`, { claimed: name, retryAfter })
      }
      return undefined
    },
    async failed(name, address) {
      await Promise.all([byName.penalty(nameKey(name)), byAddress.penalty(addressKey(address)), byAll.penalty('all')])
    },
    async succeeded(name) {
      await byName.delete(nameKey(name))
    },
  }
}

/** Of one length, whatever was typed. */
const nameKey = (name: string): string => createHash('sha256').update(name).digest('base64url').slice(0, 22)

/** An IPv6 address by its /64: a single machine has all the rest of it to choose from. */
export function addressKey(address: string): string {
  const plain = address.replace(/%.*$/, '')
  if (!isIPv6(plain)) return address
  // The URL parser gives every spelling of an IPv6 address the same, shortest form.
  const [head = '', tail] = new URL(`http://[${plain}]`).hostname.slice(1, -1).split('::')
  const groups = (text: string | undefined) => (text === undefined || text === '' ? [] : text.split(':'))
  const [before, after] = [groups(head), groups(tail)]
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length
  return `${[...before, ...Array<string>(zeros).fill('0'), ...after].slice(0, 4).join(':')}::/64`
}
