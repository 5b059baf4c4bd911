/**
 * Whoever joins is there until it leaves, in whatever order that happens.
 */
import t from 'tap'
import { createMembers } from '../../src/kernel/members.ts'

t.test('members come and go in any order', async t => {
  const members = createMembers<{ at: number; readonly name: number }>()
  const there = new Set<{ at: number; readonly name: number }>()
  let seed = 7
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
  for (let step = 0; step < 5_000; step++) {
    if (there.size === 0 || random(2) === 0) {
      const member = { at: -1, name: step }
      members.join(member)
      there.add(member)
    } else {
      const leaving = [...there][random(there.size)]
      if (leaving === undefined) throw new Error('nobody is there')
      there.delete(leaving)
      if (!members.leave(leaving) || members.leave(leaving)) t.fail('it leaves once')
    }
    if (step % 500 === 0) t.same(new Set(members.all()), there)
  }
  t.equal(members.size, there.size)
})

t.test('who is looked at may leave meanwhile', async t => {
  const members = createMembers<{ at: number }>()
  const [first, second] = [{ at: -1 }, { at: -1 }]
  members.join(first)
  members.join(second)
  for (const one of members.all()) members.leave(one)
  t.equal(members.size, 0)
  t.same([first.at, second.at], [-1, -1])
})
