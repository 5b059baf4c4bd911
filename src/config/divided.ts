/**
 * How many processes a gateway is made of, and the limits that they share: each of them gets a part, so that all
 * together never have more than was written.
 */
import type { Config } from './schema.ts'

type Divided = Pick<Config, 'listeners' | 'streams' | 'upstreams'>

/** With fewer of anything than this, `auto` makes no further worker: people would wait in one while another idles. */
const fewestEach = 10

export interface DividedLimit {
  readonly path: readonly string[]
  readonly limit: number
}

/** Each limit that is divided. */
export function* dividedLimits({ listeners, streams, upstreams }: Divided): Generator<DividedLimit> {
  for (const [name, one] of Object.entries(listeners))
    if (one.kind === 'secure')
      yield { path: ['listeners', name, 'limits', 'connections'], limit: one.limits.connections }
  for (const [name, { limits }] of Object.entries(streams))
    yield { path: ['streams', name, 'limits', 'connections'], limit: limits.connections }
  for (const [name, one] of Object.entries(upstreams))
    if (one.kind !== 'ohif') yield { path: ['upstreams', name, 'connections'], limit: one.connections }
}

/** @returns the first limit of which there is not one for each of so many workers */
export function tooFew(config: Divided, workers: number): DividedLimit | undefined {
  return [...dividedLimits(config)].find(({ limit }) => limit < workers)
}

export interface Crowd {
  readonly workers: number
  /** Why there are fewer than processors. */
  readonly because?: DividedLimit
}

/** @param processors  that this program may use */
export function workersOf(config: Divided & Pick<Config, 'workers'>, processors: number): Crowd {
  if (config.workers !== 'auto') return { workers: config.workers }
  const [least] = [...dividedLimits(config)].toSorted((one, other) => one.limit - other.limit)
  const most = Math.max(1, Math.floor((least?.limit ?? Number.POSITIVE_INFINITY) / fewestEach))
  return most < processors && least !== undefined ? { workers: most, because: least } : { workers: processors }
}
