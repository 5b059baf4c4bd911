// Work of many owners is begun in turns: nobody waits for all of another's, and nobody is forgotten.
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { createFairStart } from '../../src/listener/fair-start.ts'

const owners = (count: number) => Array.from({ length: count }, (_, at) => ({ at }))

t.test('each owner begins one piece before any begins its next', async t => {
  const starts = createFairStart<{ at: number }>(4, 100)
  const begun: number[] = []
  const [first, second, third] = owners(3)
  for (const owner of [first, first, first, second, third])
    if (owner !== undefined)
      starts.add(owner, () => {
        begun.push(owner.at)
        return true
      })
  t.same(begun, [], 'nothing is begun in the same breath')
  await turn()
  t.same(begun, [0, 1, 2, 0], 'four at once')
  await turn()
  t.same(begun, [0, 1, 2, 0, 0])
})

t.test('more owners than are begun at once all get their turn', async t => {
  const starts = createFairStart<object>(4, 100)
  let begun = 0
  for (const owner of owners(41))
    starts.add(owner, () => {
      begun++
      return true
    })
  for (let round = 1; round <= 11; round++) {
    await turn()
    t.equal(begun, Math.min(41, 4 * round))
  }
})

t.test('what was taken back costs no turn, and what is forgotten is never begun', async t => {
  const starts = createFairStart<object>(1, 100)
  const begun: string[] = []
  const [one = {}, other = {}, gone = {}] = owners(3)
  for (let times = 0; times < 100; times++) starts.add(one, () => false)
  const takeBack = starts.add(one, () => begun.push('taken back') > 0)
  starts.add(one, () => begun.push('one') > 0)
  starts.add(gone, () => begun.push('gone') > 0)
  starts.add(other, () => begun.push('other') > 0)
  t.ok(takeBack(), 'it waited')
  t.notOk(takeBack(), 'and does so no more')
  starts.forget(gone)
  await turn()
  t.same(begun, ['one'])
  await turn()
  await turn()
  t.same(begun, ['one', 'other'])
})

t.test('only so much runs of one owner, and the next begins when one ends', async t => {
  const starts = createFairStart<object>(10, 2)
  const [one = {}, other = {}] = owners(2)
  let begun = 0
  for (let times = 0; times < 3; times++) starts.add(one, () => ++begun > 0)
  await turn()
  t.equal(begun, 2)
  starts.add(other, () => ++begun > 0)
  await turn()
  t.equal(begun, 3, 'another one is not held up')
  starts.ended(one)
  await turn()
  t.equal(begun, 4)
})
