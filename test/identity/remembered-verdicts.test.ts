/**
 * What the directory said of people: remembered, asked again in time, and kept while it is silent.
 */
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import type { DirectoryAccount } from '../../src/identity/directory-account.ts'
import { out, type Verdict } from '../../src/identity/directory-verdict.ts'
import { createVerdictMemory, createVerdicts, type VerdictsParts } from '../../src/identity/remembered-verdicts.ts'
import { Fault } from '../../src/kernel/fault.ts'
import { movedClock } from './moved-clock.ts'

const minute = 60_000
const accountOf = (name: string): DirectoryAccount => ({
  ...{ name, dn: `uid=${name}`, entryId: undefined, particulars: {}, locked: false, createdAt: 0 },
  ...{ groups: [{ name: 'radiology', source: 'directory', owner: false }], lastLoginAt: undefined },
})

function memoryOf(options: Partial<Pick<VerdictsParts, 'memory' | 'capacity' | 'answered'>> = {}) {
  const clock = movedClock()
  const accounts = new Map<string, DirectoryAccount>()
  const asked: string[] = []
  const told: unknown[] = []
  const state = {
    says: (name: string): Verdict => ({ kind: 'in', account: accountOf(name) }),
    down: false,
    silences: 0,
  }
  const parts: VerdictsParts = {
    memory: createVerdictMemory(),
    async ask(name) {
      asked.push(name)
      await turn()
      if (state.down) throw new Fault('directory-unavailable')
      const verdict = state.says(name)
      if (verdict.kind === 'in') accounts.set(name, verdict.account)
      return verdict
    },
    accounts: { find: name => accounts.get(name) },
    local: { find: name => (name === 'admin' ? { name, groups: [], locked: false, createdAt: '' } : undefined) },
    recheck: 15 * minute,
    now: clock.now,
    answered: (name, { kind }, wasHolder) => told.push([name, kind, wasHolder]),
    silent: () => state.silences++,
    ...options,
  }
  return { clock, accounts, asked, told, state, verdicts: createVerdicts(parts) }
}

const settle = async () => {
  for (let round = 0; round < 5; round++) await turn()
}

t.test('a name is asked once, however many wait, and then remembered', async t => {
  const { verdicts, asked } = memoryOf()
  t.equal(verdicts.known('bob'), undefined)
  const all = await Promise.all([verdicts.of('alice'), verdicts.of('alice'), verdicts.of('alice')])
  t.match(all, Array(3).fill({ kind: 'in', account: { name: 'alice' } }))
  t.match(verdicts.of('alice'), { kind: 'in' }, 'without waiting')
  await settle()
  t.same(asked.toSorted(), ['alice', 'bob'], 'whoever was only asked what is known is asked for too, behind')
  t.match(verdicts.known('bob'), { kind: 'in' })
})

t.test('what has become old goes on to count, and is asked again in the background', async t => {
  const { verdicts, asked, clock, state, told } = memoryOf()
  await verdicts.of('alice')
  clock.move(15 * minute - 1)
  t.match(verdicts.of('alice'), { kind: 'in' })
  t.same(asked, ['alice'])
  clock.move(1)
  state.says = () => out('closed', 'disabled')
  t.match(verdicts.of('alice'), { kind: 'in' })
  await settle()
  t.match(verdicts.of('alice'), { kind: 'out', reason: 'closed' })
  t.same(asked, ['alice', 'alice'])
  t.same(told, [
    ['alice', 'in', false],
    ['alice', 'out', true],
  ])
})

t.test('what was said yesterday lets nobody in while the directory answers', async t => {
  const { verdicts, clock, state } = memoryOf()
  await verdicts.of('alice')
  clock.move(24 * 60 * minute)
  state.down = true
  t.match(await verdicts.of('alice'), { kind: 'in' }, 'silent: what it said last is kept')
  clock.move(minute)
  state.down = false
  state.says = () => out('not-found', 'gone')
  t.match(await verdicts.of('alice'), { kind: 'out', reason: 'not-found' })
})

t.test('a refusal is asked again after a minute', async t => {
  const { verdicts, clock, state } = memoryOf()
  state.says = () => out('no-groups', 'none')
  t.match(await verdicts.of('alice'), { kind: 'out' })
  state.says = name => ({ kind: 'in', account: accountOf(name) })
  clock.move(minute - 1)
  t.match(await verdicts.of('alice'), { kind: 'out' })
  clock.move(1)
  t.match(await verdicts.of('alice'), { kind: 'out' })
  await settle()
  t.match(await verdicts.of('alice'), { kind: 'in' })
})

t.test('a silent directory is a fault for who was never asked, and is not asked for all others at once', async t => {
  const { verdicts, asked, clock, state } = memoryOf()
  const people = ['alice', 'bob', 'carol']
  for (const name of people) await verdicts.of(name)
  state.down = true
  await t.rejects(async () => verdicts.of('new'), { code: 'directory-unavailable' })
  clock.move(16 * minute)
  asked.length = 0
  for (const name of people) t.match(verdicts.of(name), { kind: 'in' })
  await settle()
  t.equal(asked.length, 3, 'they were under way before the first had failed')
  for (const name of people) t.match(verdicts.of(name), { kind: 'in' })
  await settle()
  t.equal(asked.length, 3)
  t.equal(state.silences, 1, 'one outage, told once')
  await t.rejects(async () => verdicts.of('new'), { code: 'directory-unavailable' })
  clock.move(11_000)
  state.down = false
  state.says = () => out('closed', 'disabled')
  verdicts.known('alice')
  await settle()
  t.match(verdicts.known('alice'), { kind: 'out' })
})

t.test('the account here is looked at each time', async t => {
  const { verdicts, accounts, asked } = memoryOf()
  await verdicts.of('alice')
  const account = accountOf('alice')
  accounts.set('alice', { ...account, groups: [{ name: 'guests', source: 'local', owner: false }] })
  t.match(verdicts.known('alice'), { account: { groups: [{ name: 'guests' }] } })
  accounts.set('alice', { ...account, locked: true })
  t.match(verdicts.known('alice'), { kind: 'out', reason: 'locked' })
  accounts.set('alice', account)
  t.match(verdicts.known('alice'), { kind: 'in' }, 'unlocked, and in again at once')
  accounts.delete('alice')
  t.equal(verdicts.known('alice'), undefined)
  await settle()
  t.equal(asked.length, 2, 'removed here: asked as at a first visit')
  t.match(verdicts.of('admin'), { kind: 'out', reason: 'local-account' })
  t.match(verdicts.of('a\0b'), { kind: 'out', reason: 'not-found' })
  t.equal(asked.length, 2)
})

t.test('the memory outlives what asks, and does not grow for ever', async t => {
  const memory = createVerdictMemory()
  const first = memoryOf({ memory, capacity: 3 })
  for (const name of ['a', 'b', 'c', 'd', 'e']) await first.verdicts.of(name)
  t.same([...memory.answers.keys()], ['c', 'd', 'e'])
  const second = memoryOf({ memory })
  second.accounts.set('e', accountOf('e'))
  t.match(second.verdicts.of('e'), { kind: 'in' })
  t.same(second.asked, [])
})

t.test('a bug is no outage', async t => {
  const { verdicts, state } = memoryOf()
  state.says = () => {
    throw new TypeError('a bug')
  }
  await t.rejects(async () => verdicts.of('alice'), { name: 'TypeError' })
  t.equal(state.silences, 0)
})

t.test('a refusal that could not be acted on is no answer: sessions must not go on until the next look', async t => {
  let isLocked = true
  const { verdicts, state, accounts } = memoryOf({
    answered() {
      if (isLocked) throw new Fault('state-unavailable')
    },
  })
  accounts.set('alice', accountOf('alice'))
  state.says = () => out('closed', 'disabled')
  verdicts.again('alice')
  await settle()
  t.equal(verdicts.askedAt('alice'), undefined)
  isLocked = false
  verdicts.again('alice')
  await settle()
  t.type(verdicts.askedAt('alice'), 'number')
})

t.test('it is known of whom the directory gave no answer, until it does', async t => {
  const { verdicts, state, clock } = memoryOf()
  state.down = true
  await t.rejects(async () => verdicts.of('alice'), { code: 'directory-unavailable' })
  t.equal(verdicts.failedAt('alice'), clock.now())
  state.down = false
  await verdicts.of('alice')
  t.equal(verdicts.failedAt('alice'), undefined)
})
