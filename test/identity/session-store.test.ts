import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { bySession } from '../../src/identity/session.ts'
import { openSessionStore, type SessionStoreOptions } from '../../src/identity/session-store.ts'
import type { News } from '../../src/kernel/news.ts'
import { within } from '../behaviour/app.ts'
import { movedClock } from './moved-clock.ts'

const minute = 60_000
const alice = { name: 'alice', realm: 'directory', groups: new Set(['radiology', 'a,b "c"']) } as const

function storeOf(t: Test, options: Partial<SessionStoreOptions> = {}) {
  const file = options.file ?? join(t.testdir({}), 'sessions.db')
  const clock = movedClock()
  const open = () => openSessionStore({ file, idle: 30 * minute, absolute: 12 * 60 * minute, clock, ...options })
  const store = open()
  t.teardown(() => store[Symbol.dispose]())
  return { file, clock, store, open }
}

t.test('a session is found by its cookie, and by nothing else', async t => {
  const { store } = storeOf(t)
  const { cookie, session } = store.open(alice, 'password', '10.0.0.1')
  t.match(cookie, /^[\w-]{43}$/)
  t.match(session.id, /^[0-9a-f]{18}$/, 'no option on any command line')
  t.same(store.find(cookie), session)
  t.match(session, { name: 'alice', realm: 'directory', groups: alice.groups, by: 'password', from: '10.0.0.1' })
  for (const other of [
    '',
    session.id,
    `${cookie}x`,
    cookie.slice(1),
    cookie.toLowerCase(),
    'x'.repeat(100_000),
    '__proto__',
  ]) {
    t.equal(store.find(other), undefined)
  }
  t.notMatch(JSON.stringify(session), new RegExp(cookie))
})

t.test('each sign-in gives another cookie and another handle', async t => {
  const { store } = storeOf(t)
  const opened = Array.from({ length: 10 }, () => store.open(alice, 'password', ''))
  t.equal(new Set(opened.map(({ cookie }) => cookie)).size, 10)
  t.equal(new Set(opened.map(({ session }) => session.id)).size, 10)
})

t.test('a session ends when nobody uses it, and use keeps it', async t => {
  const { store, clock } = storeOf(t)
  const { cookie } = store.open(alice, 'password', '')
  for (let used = 0; used < 5; used++) {
    clock.move(29 * minute)
    t.ok(store.find(cookie))
  }
  clock.move(30 * minute)
  t.equal(store.find(cookie), undefined)
  clock.move(-30 * minute)
  t.equal(store.find(cookie), undefined, 'what has ended does not come back')
})

t.test('looking at a session is no use of it', async t => {
  const { store, clock } = storeOf(t)
  const { cookie, session } = store.open(alice, 'password', '')
  clock.move(20 * minute)
  t.ok(store.find(cookie, false))
  t.ok(store.peek(session.id))
  clock.move(11 * minute)
  t.equal(store.peek(session.id), undefined)
  t.equal(store.find(cookie, false), undefined)
})

t.test('a session ends at its absolute age, however much it is used', async t => {
  const { store, clock } = storeOf(t)
  const { cookie, session } = store.open(alice, 'password', '')
  for (let at = 0; at < 12 * 60 - 10; at += 10) {
    clock.move(10 * minute)
    t.ok(store.find(cookie))
  }
  t.equal(store.find(cookie)?.endsAt, session.createdAt + 12 * 60 * minute)
  clock.move(10 * minute)
  t.equal(store.find(cookie), undefined)
})

t.test('use is written at most once a minute, but never too late for a short idle time', async t => {
  const { store, clock } = storeOf(t)
  const { cookie, session } = store.open(alice, 'password', '')
  clock.move(59_000)
  t.equal(store.find(cookie)?.lastUsedAt, session.createdAt)
  clock.move(1_000)
  t.equal(store.find(cookie)?.lastUsedAt, session.createdAt + minute)

  const short = storeOf(t, { idle: 8_000, file: join(t.testdir({}), 'short.db') })
  const brief = short.store.open(alice, 'password', '')
  for (let used = 0; used < 10; used++) {
    short.clock.move(5_000)
    t.ok(short.store.find(brief.cookie))
  }
})

t.test('use is written in the background, and what is newest counts whoever writes it', async t => {
  const { store, clock, file, open } = storeOf(t)
  const other = open()
  t.teardown(() => other[Symbol.dispose]())
  using reader = new DatabaseSync(file)
  const written = () => reader.prepare('select last_used_at as at from session').get()?.['at']
  const { cookie, session } = store.open(alice, 'password', '')
  t.ok(other.find(cookie))
  clock.move(2 * minute)
  t.equal(other.find(cookie)?.lastUsedAt, session.createdAt + 2 * minute)
  clock.move(2 * minute)
  t.equal(store.find(cookie)?.lastUsedAt, session.createdAt + 4 * minute)
  t.equal(written(), session.createdAt, 'no request writes')
  t.ok(await within(5_000, () => written() === session.createdAt + 4 * minute))
  clock.move(28 * minute)
  t.ok(other.find(cookie), 'the others go by it')
  other[Symbol.dispose]()
  t.equal(written(), session.createdAt + 32 * minute, 'whoever is closed writes first')
})

t.test('while the file cannot be written who is in stays in, nobody waits, and the operator is told once', async t => {
  const told: unknown[] = []
  const { store, clock, file, open } = storeOf(t, { changed: fault => told.push(fault?.code ?? 'written') })
  const { cookie, session } = store.open(alice, 'password', '')
  using holder = new DatabaseSync(file)
  holder.exec('begin immediate')
  const began = performance.now()
  for (let used = 0; used < 4; used++) {
    clock.move(20 * minute)
    t.ok(store.find(cookie), 'longer than it may idle')
    t.ok(store.touch(session.id))
    store.sweep()
  }
  t.ok(performance.now() - began < 500)
  await pause(1_500)
  t.same(told, [], 'a backup is over sooner')
  const { now } = performance
  t.teardown(() => Object.assign(performance, { now }))
  performance.now = () => now.call(performance) + 10_000
  t.ok(await within(5_000, () => told.length > 0))
  await pause(1_500)
  t.same(told, ['state-unavailable'])
  holder.exec('rollback')
  t.ok(await within(5_000, () => told.length > 1))
  t.same(told, ['state-unavailable', 'written'])
  using again = open()
  t.ok(again.find(cookie), 'nothing is lost')
})

t.test('traffic without requests keeps a session too, until it has ended', async t => {
  const { store, clock } = storeOf(t)
  const { cookie, session } = store.open(alice, 'password', '')
  clock.move(20 * minute)
  t.ok(store.touch(session.id))
  clock.move(20 * minute)
  t.ok(store.find(cookie))
  t.ok(store.close(session.id))
  t.notOk(store.touch(session.id))
})

t.test('a restart keeps sessions and secret keys', async t => {
  const { store, open } = storeOf(t)
  const { cookie, session } = store.open(alice, 'password', '10.0.0.1')
  const key = store.secretKey('csrf')
  t.equal(key.length, 32)
  t.notSame(store.secretKey('other'), key)
  store[Symbol.dispose]()
  using again = open()
  t.same(again.find(cookie), session)
  t.same(again.secretKey('csrf'), key)
  t.same(again.list(), [session])
})

t.test('the files hold no cookie, and are for their owner only', async t => {
  const { store, file } = storeOf(t)
  const { cookie, session } = store.open(alice, 'password', '')
  const dir = join(file, '..')
  const files = readdirSync(dir)
  t.same(files.sort(), ['sessions.db', 'sessions.db-shm', 'sessions.db-wal'])
  const text = files.map(name => readFileSync(join(dir, name), 'latin1')).join()
  t.ok(text.includes(session.id), 'the record is there')
  t.notOk(text.includes(cookie))
  t.notOk(text.includes(Buffer.from(cookie, 'base64url').toString('latin1')))
  for (const name of files) t.equal(statSync(join(dir, name)).mode & 0o777, 0o600, name)
})

t.test('a hundred thousand bogus cookies put nobody out', async t => {
  const { store } = storeOf(t)
  const { cookie } = store.open(alice, 'password', '')
  for (let at = 0; at < 100_000; at++) store.find(at.toString(36).padStart(43, '_'))
  t.ok(store.find(cookie))
  t.equal(store.list().length, 1)
})

t.test('a person who opens too many loses the one not used for longest, and nobody else loses any', async t => {
  const { store, clock } = storeOf(t, { perPerson: 3 })
  const bob = store.open({ ...alice, realm: 'local' }, 'password', '')
  const cookies: string[] = []
  for (let at = 0; at < 3; at++) {
    cookies.push(store.open(alice, 'password', '').cookie)
    clock.move(2 * minute)
  }
  t.ok(store.find(cookies[0] ?? ''), 'the first is used again')
  store.open(alice, 'password', '')
  t.same(
    cookies.map(cookie => store.find(cookie) !== undefined),
    [true, false, true],
  )
  t.ok(store.find(bob.cookie), 'the same name from another realm is another person')
})

t.test('closing ends one, or all of a name, or all of a name in a realm', async t => {
  const { store } = storeOf(t)
  const [first, second] = [store.open(alice, 'password', ''), store.open(alice, 'password', '')]
  const local = store.open({ ...alice, realm: 'local' }, 'password', '')
  t.ok(store.close(first.session.id))
  t.notOk(store.close(first.session.id))
  t.equal(store.find(first.cookie), undefined)
  t.equal(store.closeAllOf('alice', 'directory'), 1)
  t.equal(store.find(second.cookie), undefined)
  t.ok(store.find(local.cookie))
  t.equal(store.closeAllOf('alice'), 1)
  t.equal(store.closeAllOf('alice'), 0)
})

t.test('every end is told once: on request, by idling, and when another process did it', async t => {
  const { store, clock, open } = storeOf(t)
  const ended: string[] = []
  store.onEnd(id => ended.push(id))
  const [one, two, three] = [0, 0, 0].map(() => store.open(alice, 'password', '').session.id)
  store.close(one ?? '')
  t.same(ended, [one])
  const other = open()
  other.close(two ?? '')
  other[Symbol.dispose]()
  store.sweep()
  t.same(ended, [one, two])
  clock.move(31 * minute)
  store.sweep()
  store.sweep()
  t.same(ended, [one, two, three])
})

t.test(
  'what is over is over while another program keeps the file, nobody waits for it, and it does not come back',
  async t => {
    const { store, clock, file } = storeOf(t)
    const ended: string[] = []
    store.onEnd(id => ended.push(id))
    const opened = [1, 2, 3].map(() => store.open(alice, 'password', ''))
    const holder = new DatabaseSync(file)
    t.teardown(() => holder.close())
    const rows = () => holder.prepare('select count(*) as count from session').get()?.['count']
    holder.exec('begin immediate')
    clock.move(31 * minute)
    const began = Date.now()
    for (const { session } of opened) t.equal(store.peek(session.id), undefined)
    t.ok(Date.now() - began < 500, 'a look waits for nobody')
    t.same(
      ended,
      opened.map(({ session }) => session.id),
    )
    t.throws(() => store.sweep(), { code: 'state-unavailable' })
    t.ok(Date.now() - began < 500, 'nor does a sweep')
    holder.exec('rollback')
    clock.move(-30 * minute)
    for (const { cookie } of opened) t.equal(store.find(cookie), undefined)
    t.equal(rows(), 3)
    store.sweep()
    t.equal(rows(), 0)
    t.equal(ended.length, 3, 'told once')
  },
)

t.test('who is put out while the file cannot be written is out, and whoever did it is told', async t => {
  const { store, file } = storeOf(t)
  const opened = [1, 2, 3].map(() => store.open(alice, 'password', ''))
  const ended: string[] = []
  store.onEnd(id => ended.push(id))
  using holder = new DatabaseSync(file)
  holder.exec('begin immediate')
  t.throws(() => store.closeAllOf('alice'), { code: 'state-unavailable' })
  holder.exec('rollback')
  for (const { cookie } of opened) t.equal(store.find(cookie), undefined)
  t.equal(ended.length, 3)
  store.sweep()
  t.equal(holder.prepare('select count(*) as count from session').get()?.['count'], 0)
})

t.test('who is put out by one worker while the file cannot be written is out in all of them', async t => {
  const heard = new Set<(id: string) => void>()
  const news: News = {
    async tell(_, id) {
      for (const listener of heard) listener(id)
    },
    hear(_, listener) {
      heard.add(listener)
      return { [Symbol.dispose]: () => void heard.delete(listener) }
    },
  }
  const { store, file, open } = storeOf(t, { news })
  const other = open()
  t.teardown(() => other[Symbol.dispose]())
  const opened = [1, 2, 3].map(() => store.open(alice, 'password', ''))
  for (const { cookie } of opened) t.ok(other.find(cookie))
  using holder = new DatabaseSync(file)
  holder.exec('begin immediate')
  t.throws(() => store.close(opened[0]?.session.id ?? ''), { code: 'state-unavailable' })
  t.equal(other.find(opened[0]?.cookie ?? ''), undefined)
  t.ok(other.find(opened[1]?.cookie ?? ''))
  t.throws(() => store.closeAllOf('alice'), { code: 'state-unavailable' })
  for (const { cookie } of opened) t.equal(other.find(cookie), undefined)
  holder.exec('rollback')
})

t.test('an end that another process writes at the very moment of a sign-in is seen', async t => {
  const { store, open } = storeOf(t)
  const other = open()
  t.teardown(() => other[Symbol.dispose]())
  const { run } = StatementSync.prototype
  t.teardown(() => Object.assign(StatementSync.prototype, { run }))
  Object.assign(StatementSync.prototype, {
    run(this: StatementSync, ...given: Parameters<typeof run>) {
      const outcome = run.apply(this, given)
      Object.assign(StatementSync.prototype, { run })
      other.closeAllOf('alice')
      return outcome
    },
  })
  const { cookie } = store.open(alice, 'password', '')
  t.ok(await within(1_000, () => store.find(cookie) === undefined))
})

t.test('a clock set back far ends sessions instead of lengthening them', async t => {
  const { store, clock } = storeOf(t)
  const { cookie } = store.open(alice, 'password', '')
  clock.move(-minute)
  t.ok(store.find(cookie), 'a small correction does no harm')
  clock.move(-60 * minute)
  t.equal(store.find(cookie), undefined)
})

t.test('a file that is no database is a fault, and so is a store that was closed', async t => {
  const file = join(
    t.testdir({ 'broken.db': 'this is no database, and long enough to be looked at as one' }),
    'broken.db',
  )
  const clock = movedClock()
  t.throws(() => openSessionStore({ file, idle: 1, absolute: 1, clock }), { code: 'state-unavailable' })
  const { store } = storeOf(t)
  const { cookie } = store.open(alice, 'password', '')
  store[Symbol.dispose]()
  t.throws(() => store.find(cookie), { code: 'state-unavailable' })
})

t.test('a session proves who it is; a cookie that is broken, doubled or ended is as good as none', async t => {
  const { store } = storeOf(t)
  const { cookie, session } = store.open(alice, 'password', '')
  const with_ = (value: string) => bySession([['cookie', value]], store, true)
  t.same(with_(`__Host-sallyport=${cookie}`), {
    answer: { kind: 'proven', principal: { ...alice, proof: { kind: 'session', by: 'password', id: session.id } } },
    session,
  })
  for (const value of [
    '',
    '__Host-sallyport=',
    `__Host-sallyport=${cookie}x`,
    `__Host-sallyport="${cookie}"`,
    `__Host-sallyport=${cookie}; __Host-sallyport=${cookie}`,
    `__Host-sallyport=${'x'.repeat(5_000)}`,
    `sallyport=${cookie}`,
  ]) {
    t.same(with_(value), { answer: { kind: 'absent' }, session: undefined }, value.slice(0, 60))
  }
})

t.test('groups are changed in every session of a person, and in no other', async t => {
  const { store } = storeOf(t)
  const cookies = [1, 2].map(() => store.open(alice, 'password', '10.0.0.1').cookie)
  const [bob, local] = [
    store.open({ ...alice, name: 'bob' }, 'password', '10.0.0.1').cookie,
    store.open({ ...alice, realm: 'local' }, 'password', '10.0.0.1').cookie,
  ]
  const fewer = new Set(['radiology'])
  t.equal(store.regroup('alice', 'directory', fewer), 2)
  t.equal(store.regroup('alice', 'directory', fewer), 0)
  for (const cookie of cookies) t.same(store.find(cookie)?.groups, fewer)
  for (const cookie of [bob, local]) t.same(store.find(cookie)?.groups, alice.groups)
})
