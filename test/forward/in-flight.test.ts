// Work that hangs on a password ends with the account behind it; one that hangs on nothing goes on.
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { createInFlight, type Hold } from '../../src/forward/in-flight.ts'
import { Fault } from '../../src/kernel/fault.ts'

function start(t: Pick<Test, 'teardown'>) {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const standings = new Map<string, string | undefined>([
    ['alice', '1'],
    ['bob', '1'],
  ])
  let asked = 0
  const standing = (name: string) => {
    asked++
    if (standings.get(name) === 'unknown') throw new Fault('state-unavailable')
    return standings.get(name)
  }
  const inFlight = createInFlight({ touch: () => true, onEnd: () => undefined })
  t.teardown(() => inFlight[Symbol.dispose]())
  const ended: string[] = []
  const hold = (name: string): Hold => ({ kind: 'password', name, realm: 'local', standing, was: standings.get(name) })
  const add = (what: string, under: Hold | undefined) => inFlight.add(under, () => ended.push(what), true)
  return { standings, ended, hold, add, tick: (ms: number) => mock.timers.tick(ms), asked: () => asked }
}

for (const [how, after] of [
  ['is locked', undefined],
  ['changes', '2'],
] as const) {
  t.test(`what runs under a password ends within a second when its account ${how}`, async t => {
    const { standings, ended, hold, add, tick } = start(t)
    add('her download', hold('alice'))
    add('his download', hold('bob'))
    add('an open route', undefined)
    tick(5_000)
    t.same(ended, [])
    standings.set('alice', after)
    tick(1_000)
    t.same(ended, ['her download'])
  })
}

t.test('what was locked or changed while the upstream took its time ends as it begins', async t => {
  const { standings, ended, hold, add } = start(t)
  const before = hold('alice')
  standings.set('alice', '2')
  add('changed', before)
  standings.set('bob', undefined)
  add('locked', hold('bob'))
  t.same(ended, ['changed', 'locked'])
})

t.test('a name is asked once in a look, however much runs under it', async t => {
  const { hold, add, tick, asked } = start(t)
  const works = Array.from({ length: 300 }, () => add('one of many', hold('alice')))
  const before = asked()
  tick(1_000)
  t.equal(asked() - before, 1)
  for (const work of works) work[Symbol.dispose]()
  tick(1_000)
  t.equal(asked() - before, 1, 'and not at all when nothing runs')
})

t.test('an account that cannot be read ends nothing, and ends it when it can be read again', async t => {
  const { standings, ended, hold, add, tick } = start(t)
  const before = hold('alice')
  standings.set('alice', 'unknown')
  add('download', before)
  tick(3_000)
  t.same(ended, [])
  standings.set('alice', '2')
  tick(1_000)
  t.same(ended, ['download'])
})
