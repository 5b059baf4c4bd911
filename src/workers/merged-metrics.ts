/**
 * The numbers of several processes as those of one gateway: counters and histograms added up, gauges as each asks for.
 *
 * Not to forget: a counter never goes back, or whoever reads it takes that for a restart and counts everything twice. So
 * what a worker said last goes on to count: until it answers again, and of its counters when it is gone.
 */
import { AggregatorRegistry, Registry } from 'prom-client'
import type { Measured } from '../telemetry/metrics.ts'

export interface MergedMetrics<Source extends object> {
  /** @param said  what a worker said just now */
  take(source: Source, said: readonly Measured[]): void
  gone(source: Source): void
  /** @param own  of the process that asks */
  read(own: readonly Measured[]): Promise<{ readonly type: string; readonly text: string }>
}

const merge = (all: Iterable<readonly Measured[]>) =>
  AggregatorRegistry.aggregate<typeof Registry.PROMETHEUS_CONTENT_TYPE>([...all])

/** Its type is a word, though prom-client's types say a number. A gauge ends with what it told of. */
const goesOn = ({ type }: Measured): boolean => ['counter', 'histogram'].includes(String(type))

/** The worst of all is of those that serve: whoever asks has no upstream and no state, and would say 0. */
const isOurs = ({ aggregator }: Measured): boolean => aggregator !== 'min'

export function createMergedMetrics<Source extends object>(): MergedMetrics<Source> {
  const last = new Map<Source, readonly Measured[]>()
  let past: Promise<readonly Measured[]> = Promise.resolve([])
  return {
    take: (source, said) => void last.set(source, said),
    gone(source) {
      const said = last.get(source)?.filter(goesOn) ?? []
      last.delete(source)
      past = past.then(before => merge([before, said]).getMetricsAsJSON())
    },
    async read(own) {
      return {
        type: Registry.PROMETHEUS_CONTENT_TYPE,
        text: await merge([own.filter(isOurs), await past, ...last.values()]).metrics(),
      }
    },
  }
}
