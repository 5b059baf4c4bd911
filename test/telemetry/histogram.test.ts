// Whoever reads it sees the same as of prom-client's own histogram, also when several processes are added up.
import { AggregatorRegistry, Histogram, Registry } from 'prom-client'
import t from 'tap'
import { createHistogram } from '../../src/telemetry/histogram.ts'

const terms = { name: 'took_seconds', help: 'How long it took', bounds: [0.005, 0.25, 1, 300] } as const

function both() {
  const [ours, theirs] = [new Registry(), new Registry()]
  const mine = createHistogram({ ...terms, label: 'route' })
  ours.registerMetric(mine.metric)
  const { name, help, bounds } = terms
  const other = new Histogram({ name, help, buckets: [...bounds], labelNames: ['route'], registers: [theirs] })
  const observe = (route: string, value: number) => {
    mine.observe(route, value)
    other.observe({ route }, value)
  }
  return { ours, theirs, observe }
}

t.test('what is read is what prom-client would say', async t => {
  const { ours, theirs, observe } = both()
  t.equal(await ours.metrics(), await theirs.metrics(), 'nothing yet')
  for (const value of [0, 0.005, 0.0050001, 0.25, 0.3, 1, 2, 300, 301, 1e9]) observe('routes[0]', value)
  for (let nth = 0; nth < 500; nth++) observe(nth % 3 === 0 ? 'none' : 'a "quoted"\nroute', nth / 7)
  t.equal(await ours.metrics(), await theirs.metrics())
  t.equal(await ours.getSingleMetricAsString(terms.name), await theirs.getSingleMetricAsString(terms.name))
  ours.resetMetrics()
  theirs.resetMetrics()
  t.equal(await ours.metrics(), await theirs.metrics())
})

t.test('and of several processes together', async t => {
  const [one, other] = [both(), both()]
  for (let nth = 0; nth < 100; nth++) {
    one.observe('a', nth / 50)
    other.observe(nth % 2 === 0 ? 'a' : 'b', nth)
  }
  const sum = async (which: 'ours' | 'theirs') => {
    const all = await Promise.all([one, other].map(async each => await each[which].getMetricsAsJSON()))
    return await AggregatorRegistry.aggregate(JSON.parse(JSON.stringify(all))).metrics()
  }
  t.equal(await sum('ours'), await sum('theirs'))
})
