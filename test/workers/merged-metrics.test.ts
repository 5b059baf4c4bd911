// The numbers of several processes: counters never go back, whoever dies or stands still; gauges are of now.
import t from 'tap'
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts'
import { createMergedMetrics } from '../../src/workers/merged-metrics.ts'

const json = (metrics: Metrics) => metrics.registry.getMetricsAsJSON()
const lines = (text: string, name: string) =>
  text.split('\n').filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))

t.test('counters and histograms are added up, gauges as each asks for', async t => {
  const [one, other, own] = [createMetrics(), createMetrics(), createMetrics()]
  const merged = createMergedMetrics<Metrics>()
  for (const [metrics, count] of [
    [one, 3],
    [other, 4],
  ] as const) {
    metrics.denials.inc({ reason: 'group' }, count)
    metrics.exchangeSeconds.observe('r', count)
    metrics.connections.set({ listener: 'web' }, count)
    metrics.certificateExpiry.set({ listener: 'web' }, count * 100)
    metrics.upstreamUp.set({ upstream: 'app' }, count === 3 ? 0 : 1)
    metrics.stateUp.set(1)
    merged.take(metrics, await json(metrics))
  }
  own.configurationCurrent.set(1)
  const read = async () => (await merged.read(await json(own))).text
  const text = await read()
  t.same(lines(text, 'sallyport_denials_total'), ['sallyport_denials_total{reason="group"} 7'])
  t.same(lines(text, 'sallyport_exchange_seconds_sum'), ['sallyport_exchange_seconds_sum{route="r"} 7'])
  t.ok(text.includes('sallyport_exchange_seconds_bucket{le="5",route="r"} 2'), 'buckets as well')
  t.same(lines(text, 'sallyport_connections'), ['sallyport_connections{listener="web"} 7'])
  t.same(lines(text, 'sallyport_certificate_expiry_seconds'), [
    'sallyport_certificate_expiry_seconds{listener="web"} 300',
  ])
  t.same(
    lines(text, 'sallyport_upstream_up'),
    ['sallyport_upstream_up{upstream="app"} 0'],
    'one that it is down for is enough',
  )
  t.same(lines(text, 'sallyport_configuration_current'), ['sallyport_configuration_current 1'])
  t.same(lines(text, 'sallyport_state_up'), ['sallyport_state_up 1'], 'the primary itself says nothing of it')

  await t.test('of whoever is gone the counters stay', async t => {
    merged.gone(one)
    merged.gone(createMetrics())
    const text = await read()
    t.same(lines(text, 'sallyport_denials_total'), ['sallyport_denials_total{reason="group"} 7'])
    t.same(lines(text, 'sallyport_exchange_seconds_count'), ['sallyport_exchange_seconds_count{route="r"} 2'])
    t.same(lines(text, 'sallyport_connections'), ['sallyport_connections{listener="web"} 4'])
  })
  await t.test('and go on with those of its successor', async t => {
    const next = createMetrics()
    next.denials.inc({ reason: 'group' })
    merged.take(next, await json(next))
    merged.gone(other)
    t.same(lines(await read(), 'sallyport_denials_total'), ['sallyport_denials_total{reason="group"} 8'])
  })
})
