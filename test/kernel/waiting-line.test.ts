/**
 * Who came first is first, whoever left in between.
 */
import t from 'tap'
import { type Waiting, WaitingLine } from '../../src/kernel/waiting-line.ts'

t.test('they come, go and are taken in any order', async t => {
  const line = new WaitingLine<number>()
  const all: Waiting<number>[] = []
  /** What should be in it. */
  let model: number[] = []
  let seed = 7
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
  for (let step = 0; step < 20_000; step++) {
    const wanted = random(3)
    const one = all[random(all.length + 1)]
    if (wanted === 0 || one === undefined) {
      model.push(all.length)
      all.push(line.add(all.length))
    } else if (wanted === 1) {
      const [first] = model
      if (line.take() !== first) return t.fail(`step ${step}: another one was first`)
      model = model.slice(1)
    } else {
      if (line.leave(one) !== model.includes(one.value)) return t.fail(`step ${step}: nobody leaves twice`)
      model = model.filter(value => value !== one.value)
    }
    if (line.first !== model[0] || line.isEmpty !== (model.length === 0)) return t.fail(`step ${step}`)
  }
  const left: (number | undefined)[] = []
  while (!line.isEmpty) left.push(line.take())
  t.same(left, model)
})

t.test('who left keeps nobody alive', async t => {
  const line = new WaitingLine<string>()
  const [first, middle] = [line.add('first'), line.add('middle')]
  line.add('last')
  line.leave(middle)
  line.leave(first)
  const none = { before: undefined, behind: undefined }
  t.match(first, none)
  t.match(middle, none)
})
