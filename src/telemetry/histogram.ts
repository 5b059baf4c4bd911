/**
 * A histogram by one label that changes with every request: prom-client makes one text of all labels for each value.
 *
 * Source: prometheus.io/docs (exposition formats); prom-client's metrics as JSON, which workers/merged-metrics.ts adds up.
 */
import type { Metric } from 'prom-client'

export interface HistogramTerms<Label extends string> {
  readonly name: string
  readonly help: string
  readonly label: Label
  /** In rising order: the highest value of each bucket. One more has what is above. */
  readonly bounds: readonly number[]
}

/** Of one value of the label. */
interface Row {
  /** How many fell in each bucket. */
  readonly counts: Float64Array
  sum: number
}

export interface RequestHistogram<Label extends string> {
  observe(label: string, value: number): void
  /** To be registered. */
  readonly metric: Metric<Label>
}

export function createHistogram<Label extends string>(terms: HistogramTerms<Label>): RequestHistogram<Label> {
  const { name, help, label, bounds } = terms
  const rows = new Map<string, Row>()
  const valuesOf = (value: string, { counts, sum }: Row) => {
    const labels = { [label]: value }
    let total = 0
    const buckets = []
    for (const [at, count] of counts.entries()) {
      total += count
      buckets.push({ metricName: `${name}_bucket`, labels: { le: bounds[at] ?? '+Inf', ...labels }, value: total })
    }
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: total },
    ]
  }
  const about = { name, help, type: 'histogram', aggregator: 'sum' }
  const metric = {
    ...about,
    get: async () => ({ ...about, values: [...rows].flatMap(row => valuesOf(...row)) }),
    reset: () => rows.clear(),
  }
  return {
    observe(labelled, value) {
      let row = rows.get(labelled)
      if (row === undefined) {
        row = { counts: new Float64Array(bounds.length + 1), sum: 0 }
        rows.set(labelled, row)
      }
      let at = 0
      while (value > (bounds[at] ?? Number.POSITIVE_INFINITY)) at++
      row.counts[at] = (row.counts[at] ?? 0) + 1
      row.sum += value
    },
    // A registry asks for no more of it; the type lists the four classes of prom-client.
    metric: metric as unknown as Metric<Label>,
  }
}
