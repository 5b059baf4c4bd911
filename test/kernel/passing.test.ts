// Bodies that only pass through do not make V8 look at its whole heap.
import { PerformanceObserver } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { passes } from '../../src/kernel/passing.ts'

const piece = 16 * 1024

/** @returns how often V8 marked its whole heap while a GB passed through */
async function marked(told: (bytes: number) => void): Promise<number> {
  let times = 0
  const watch = new PerformanceObserver(list => {
    for (const { detail } of list.getEntries() as { detail?: { kind?: number } }[]) if (detail?.kind === 4) times++ // a major one
  })
  watch.observe({ entryTypes: ['gc'] })
  for (let passed = 0; passed < 2 ** 30; passed += piece) {
    Buffer.allocUnsafeSlow(piece).fill(1, 0, 1)
    told(piece)
    if (passed % 2 ** 20 === 0) await turn()
  }
  await turn()
  watch.disconnect()
  return times
}

t.test('a GB of bodies passes through', async t => {
  const untold = await marked(() => undefined)
  const times = await marked(passes)
  t.ok(untold >= 8, `${untold} times where nobody tells`)
  t.ok(times <= untold / 3, `${times} times, and ${untold} where nobody tells`)
})
