/**
 * What was added is told once, by its labels, and the metric that it stands for shows it whenever it is read.
 */
import t from 'tap'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { createTally } from '../../src/telemetry/tally.ts'

t.test('amounts add up by their labels, and are told once', async t => {
  const tally = createTally<[string, number]>()
  tally.add(1, 'web', 200)
  tally.add(2, 'web', 404)
  tally.add(3, 'web', 200)
  tally.add(4, 'other', 200)
  tally.add(-4, 'other', 200)
  const told: [number, ...unknown[]][] = []
  tally.empty((amount, values) => told.push([amount, ...values]))
  t.same(told, [
    [4, 'web', 200],
    [2, 'web', 404],
    [0, 'other', 200],
  ])
  tally.empty(() => t.fail('it was told already'))
})

t.test('metrics show what was counted, each time that they are read', async t => {
  const { registry, exchanges, inFlight } = createMetrics()
  const read = async () => await registry.getSingleMetricAsString('sallyport_exchanges_total')
  exchanges.add(1, 'web', 'routes[0]', 200, 'complete')
  inFlight.add(1, 'web')
  t.match(await read(), /listener="web",route="routes\[0\]",status="200",ending="complete"\} 1/)
  exchanges.add(1, 'web', 'routes[0]', 200, 'complete')
  t.match(await read(), /ending="complete"\} 2/)
  t.match(await registry.getSingleMetricAsString('sallyport_exchanges_in_flight'), /listener="web"\} 1/)
  inFlight.add(-1, 'web')
  t.match(await registry.metrics(), /sallyport_exchanges_in_flight\{listener="web"\} 0/)
})
