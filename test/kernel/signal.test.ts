/**
 * Our signal tells what Node's tells, and no more.
 */
import t from 'tap'
import { abortSignalOf, Departure, type Signal } from '../../src/kernel/signal.ts'

const node = () => {
  const controller = new AbortController()
  return { signal: controller.signal as Signal, abort: (reason?: unknown) => controller.abort(reason) }
}
const own = () => {
  const departure = new Departure()
  return { signal: departure as Signal, abort: (reason?: unknown) => departure.abort(reason) }
}

for (const [name, make] of [
  ['the one of Node', node],
  ['ours', own],
] as const) {
  t.test(`${name} tells each listener once, and those who left nothing`, async t => {
    const { signal, abort } = make()
    const told: string[] = []
    const left = () => told.push('left')
    const other = () => told.push('other')
    signal.addEventListener('abort', { handleEvent: () => told.push('first') })
    signal.addEventListener('abort', left)
    signal.addEventListener('abort', other, { once: true })
    signal.removeEventListener('abort', left)
    signal.removeEventListener('abort', () => undefined)
    t.equal(signal.aborted, false)
    signal.throwIfAborted()
    const why = new Error('gone')
    abort(why)
    abort(new Error('once more'))
    signal.addEventListener('abort', () => told.push('late'))
    t.same(told, ['first', 'other'])
    t.equal(signal.aborted, true)
    t.equal(signal.reason, why)
    t.throws(() => signal.throwIfAborted(), why)
  })

  t.test(`${name} has a reason also where none was given`, async t => {
    const { signal, abort } = make()
    abort()
    t.match(signal.reason, { name: 'AbortError' })
  })

  t.test(`of ${name} there is one for Node`, async t => {
    const [before, after] = [make(), make()]
    before.abort('early')
    t.equal(abortSignalOf(before.signal).reason, 'early')
    const real = abortSignalOf(after.signal)
    t.equal(real.aborted, false)
    after.abort('late')
    t.equal(real.aborted, true)
    t.equal(real.reason, 'late')
  })
}

t.test('whoever leaves while others are told is told nothing', async t => {
  const departure = new Departure()
  const second = () => t.fail('it has left')
  departure.addEventListener('abort', () => departure.removeEventListener('abort', second))
  departure.abort()
  t.pass()
})
