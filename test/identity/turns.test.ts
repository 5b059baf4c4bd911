import t from 'tap'
import { takeTurns, takeTurnsByKey } from '../../src/kernel/turns.ts'

const turn = () => new Promise<void>(resolve => setImmediate(resolve))

t.test('only so many run at once, all of them run, and the rest is refused', async t => {
  const inTurn = takeTurns({ atOnce: 2, waiting: 3, about: 'x' })
  let [running, most, done] = [0, 0, 0]
  const work = async () => {
    most = Math.max(most, ++running)
    await turn()
    running--
    done++
  }
  const outcomes = await Promise.allSettled(Array.from({ length: 7 }, () => inTurn(work)))
  t.equal(most, 2)
  t.equal(done, 5)
  t.equal(outcomes.filter(({ status }) => status === 'rejected').length, 2)
  t.match(outcomes.at(-1), { reason: { code: 'overloaded' } })
})

t.test('work that fails gives its place to the next', async t => {
  const inTurn = takeTurns({ atOnce: 1, waiting: 5, about: 'x' })
  const failing = inTurn(() => Promise.reject(new Error('no')))
  const next = inTurn(async () => 'next')
  await t.rejects(failing, { message: 'no' })
  t.equal(await next, 'next')
})

t.test('each key has a lane of its own', async t => {
  const inTurnOf = takeTurnsByKey({ waiting: 1, about: 'x' })
  const order: string[] = []
  const work = (name: string) => async () => {
    order.push(`${name} begins`)
    await turn()
    order.push(`${name} ends`)
  }
  await Promise.all([inTurnOf('a', work('a1')), inTurnOf('a', work('a2')), inTurnOf('b', work('b1'))])
  t.ok(order.indexOf('a2 begins') > order.indexOf('a1 ends'))
  t.ok(order.indexOf('b1 begins') < order.indexOf('a1 ends'))
})

t.test('nobody waits longer than the time that was set, and whoever gave up takes no place', async t => {
  const inTurn = takeTurns({ atOnce: 1, waiting: 3, about: 'x', within: 20 })
  const first = Promise.withResolvers<void>()
  const held = inTurn(() => first.promise)
  await t.rejects(
    inTurn(() => Promise.resolve()),
    { code: 'overloaded' },
  )
  first.resolve()
  await held
  t.equal(await inTurn(() => Promise.resolve('free')), 'free')
})
