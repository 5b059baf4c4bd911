/**
 * One address that revocation lists are fetched from: when it is visited next, and what is kept for a restart.
 *
 * What comes is taken or not by whoever opened this; a server that fails is asked again later and later, never all
 * gateways at one time. Source: RFC 9111 4.3 (asking only for news).
 */
import { causeLine } from '../kernel/fault.ts'
import type { RevocationParts } from './revocation.ts'
import { keep, readKept } from './revocation-cache.ts'
import { fetchBytes, type Validators } from './revocation-fetch.ts'
import { endOf, type RevocationPool } from './revocation-pool.ts'

export interface Address {
  readonly url: string
  readonly refresh: number
  readonly pool: RevocationPool
  /** @returns changed: answers may be others; sound: the list is one to keep the server's word on */
  readonly take: (bytes: Buffer) => { readonly changed: boolean; readonly sound: boolean }
  /** undefined: what came before is still what there is. */
  readonly failed: (why: string | undefined) => void
  /** After each visit. */
  readonly visited: (changed: boolean) => void
  readonly later: (wait: number, work: () => void) => void
  readonly closed: AbortSignal
}

const firstRetry = 5_000
/** Shortest wait for the successor of a list that is about to end. */
const soonest = 30_000

/**
 * Milliseconds to the next visit.
 *
 * @param left      what is left of the lists of this address, in milliseconds
 * @param failures  visits in a row that brought nothing
 */
export function nextVisit({
  refresh,
  left,
  failures,
}: {
  readonly refresh: number
  readonly left: readonly number[]
  readonly failures: number
}): number {
  const due = Math.min(refresh, ...left.map(span => Math.max(soonest, span / 2)))
  const span = failures === 0 ? due : Math.min(due, firstRetry * 2 ** Math.min(failures - 1, 20))
  return span * (0.8 + Math.random() / 5)
}

/** Resolves after the first visit, well or not. */
export function openAddress(address: Address, { cacheDir, fetching, tell, now }: RevocationParts): Promise<void> {
  const { url, pool, closed } = address
  let validators: Validators = {}
  let failures = 0

  const attempt = <Result>(work: () => Result): Result | undefined => {
    try {
      return work()
    } catch (cause) {
      tell('warn', { source: url, cause: causeLine(cause) }, 'the copy of a revocation list cannot be kept or read')
      return undefined
    }
  }
  const own = () => pool.held.filter(({ source }) => source === url).map(({ list }) => list)

  async function visit(): Promise<void> {
    const fetched = await fetchBytes(url, { validators, signal: closed, ...(fetching && { terms: fetching }) })
    if (closed.aborted) return
    let changed = false
    let sound = fetched.kind === 'unchanged'
    if (fetched.kind === 'bytes') {
      ;({ changed, sound } = address.take(fetched.bytes))
      if (sound) validators = fetched.validators
      if (changed && cacheDir !== undefined) attempt(() => keep(cacheDir, url, own()))
    } else {
      address.failed(fetched.kind === 'failed' ? fetched.why : undefined)
    }
    failures = sound ? 0 : failures + 1
    address.visited(changed)
    const ends = pool.current(now()).filter(({ source }) => source === url)
    const left = ends.map(({ list }) => endOf(list) - now())
    address.later(nextVisit({ refresh: address.refresh, left, failures }), () => void visit())
  }

  const kept = cacheDir === undefined ? undefined : attempt(() => readKept(cacheDir, url))
  if (kept !== undefined) address.take(kept)
  return visit()
}
