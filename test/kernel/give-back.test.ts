// What everyday work has left is given back in a pause, and not while there is work; what a burst leaves, also while it lasts.
import { constants, PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import t from 'tap'
import { giveBackInPauses, giveBackSoon } from '../../src/kernel/give-back.ts'

const megabyte = 1024 * 1024
const resident = () => process.memoryUsage.rss() / megabyte

t.test('two hundred MB of work', async t => {
  const before = resident()
  using _pauses = giveBackInPauses(400)
  let left: unknown[] = Array.from({ length: 3_000_000 }, (_, at) => ({ at, text: `${at}` }))
  // Promoted, so that no collection of young objects frees them.
  await pause(10)
  left = []
  for (let turn = 0; turn < 100; turn++) {
    const end = performance.now() + 5
    while (performance.now() < end) left.length = 0
    await pause(5)
  }
  const worked = resident()
  t.ok(worked - before > 100, `${worked - before} MB while there is work`)
  const deadline = performance.now() + 10_000
  while (resident() - before > 60 && performance.now() < deadline) await pause(50)
  t.ok(resident() - before <= 60, `${resident() - before} MB in the pause`)
})

t.test('a burst that does not end', async t => {
  // It would collect by itself after some seconds.
  setFlagsFromString('--no-memory-reducer')
  giveBackSoon()
  const left = Array.from({ length: 3_000_000 }, (_, at) => ({ at, text: `${at}` }))
  await pause(500)
  let collected = 0
  const observer = new PerformanceObserver(list => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as unknown as { detail: { kind: number } }).detail // of entries of this type
      if (kind === constants.NODE_PERFORMANCE_GC_MAJOR) collected++
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  t.teardown(() => observer.disconnect())
  const deadline = performance.now() + 12_000
  while (collected === 0 && performance.now() < deadline) {
    giveBackSoon()
    await pause(50)
  }
  t.ok(collected > 0, `with ${left.length} objects, while it lasts`)
})
