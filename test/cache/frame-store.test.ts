// What the cache holds, in bytes: bounded whatever comes, and counted until the last reader has gone.
import t from 'tap'
import { createFrameStore, type FrameStore, type Lent } from '../../src/cache/frame-store.ts'

const limit = 1_000_000
function keep(
  store: FrameStore,
  key: string,
  size: number,
  more: { study?: string; listed?: boolean } = {},
): Lent | undefined {
  if (!store.promise(size)) return undefined
  const frame = { key, study: more.study, headers: [['content-type', 'image/png']] as const, body: Buffer.alloc(size) }
  return store.keep(frame, { since: 0, maxAge: 100 }, more.listed ?? true)
}

t.test('thousands of frames never take more than was given, and the last ones are there', async t => {
  const store = createFrameStore(limit, () => 0)
  for (let number = 0; number < 5_000; number++) {
    keep(store, String(number), (number * 7_919) % 90_000)?.release()
    if (store.used > limit + 3_000) t.fail(`${store.used} bytes`)
  }
  t.ok(store.find('4999'))
  t.equal(store.find('1'), undefined)
  store.forgetWhere(() => true)
  t.ok(store.used < 100_000, 'but for the one that is being read')
})

t.test('what is read goes on to count when it was put out, and is nobody else’s room', async t => {
  const store = createFrameStore(limit, () => 0)
  const readers = ['a', 'b', 'c'].map(key => keep(store, key, 300_000))
  t.notOk(store.promise(300_000), 'all is being read: no room')
  t.ok(store.find('a'), 'and nothing was put out for it')
  store.forgetWhere(() => true)
  t.equal(store.find('b'), undefined)
  t.notOk(store.promise(300_000), 'forgotten, and still read')
  const used = store.used
  readers[1]?.again().release()
  t.equal(store.used, used)
  readers[1]?.release()
  t.ok(store.promise(300_000))
})

t.test('the one that was asked for longest ago goes first', async t => {
  const store = createFrameStore(limit, () => 0)
  for (const key of ['a', 'b', 'c']) keep(store, key, 300_000)?.release()
  store.find('a')?.release()
  keep(store, 'd', 300_000)?.release()
  t.same(
    ['a', 'b', 'c', 'd'].map(key => store.find(key) !== undefined),
    [true, false, true, true],
  )
})

t.test('a frame of the same key takes the place of the other; one that is not listed is never found', async t => {
  const store = createFrameStore(limit, () => 0)
  for (let times = 0; times < 100; times++) keep(store, 'a', 200_000)?.release()
  t.ok(store.used < 210_000)
  const hidden = keep(store, 'b', 200_000, { listed: false })
  t.equal(store.find('b'), undefined)
  hidden?.release()
  t.ok(store.used < 210_000)
})

t.test('what is too old is put out, asked for or not', async t => {
  let time = 0
  const store = createFrameStore(limit, () => time)
  keep(store, 'a', 10)?.release()
  keep(store, 'b', 10)?.release()
  time = 99
  t.ok(store.find('a'))
  time = 100
  t.equal(store.find('a'), undefined)
  store.sweep()
  t.ok(store.used > 2_000 && store.used < 3_000, 'all but the one that is being read')
})

t.test('another form of a frame is made once, and counts as long as the frame does', async t => {
  const store = createFrameStore(limit, () => 0)
  const lent = keep(store, 'a', 300_000)
  const before = store.used
  let made = 0
  const make = async () => {
    made++
    await new Promise(resolve => setTimeout(resolve, 5))
    return Buffer.alloc(100_000)
  }
  const forms = await Promise.all(Array.from({ length: 5 }, () => lent?.formOf('packed', make)))
  t.equal(new Set(forms).size, 1)
  t.equal(made, 1)
  t.equal(store.used, before + 100_000)
  t.equal(await lent?.formOf('same', async () => lent.frame.body), lent?.frame.body)
  t.equal(store.used, before + 100_000, 'the body itself costs nothing')
  await t.rejects(async () => lent?.formOf('broken', () => Promise.reject(new Error('no'))))
  t.ok(await lent?.formOf('broken', make), 'and is tried again')
  store.forgetWhere(() => true)
  t.equal(store.used, before + 200_000, 'somebody reads it')
  lent?.release()
  t.equal(store.used, 0)
})

t.test('a form that is made of a frame which is put out meanwhile leaves nothing behind', async t => {
  const store = createFrameStore(limit, () => 0)
  const lent = keep(store, 'a', 300_000)
  const made = Promise.withResolvers<Buffer>()
  const form = lent?.formOf('packed', () => made.promise)
  lent?.release()
  store.forgetWhere(() => true)
  t.ok(store.used > 300_000, 'it is still being read')
  made.resolve(Buffer.alloc(10))
  await form
  t.equal(store.used, 0)
})

t.test(
  'memory of the process stays near what was given, while frames come and go, and after they have all gone',
  async t => {
    const megabyte = 1024 * 1024
    const limit = 128 * megabyte
    const store = createFrameStore(limit, () => 0)
    const resident = () => process.memoryUsage.rss()
    const external = () => process.memoryUsage().external
    const [before, known] = [resident(), external()]
    let most = 0
    for (let number = 0; number < 2_000; number++) {
      if (!store.promise(megabyte)) return t.fail('no room')
      const body = store.room(megabyte).fill(1)
      store
        .keep({ key: String(number), study: undefined, headers: [], body }, { since: 0, maxAge: 100 }, true)
        .release()
      most = Math.max(most, resident() - before)
      // Finalizers and sweepers have their turn.
      if (number % 20 === 0) await new Promise(resolve => setImmediate(resolve))
      if (number === 120) t.ok(external() - known < 16 * megabyte, 'what fills it for the first time is not counted')
    }
    // V8 collects while the work goes on, and is some hundred MB behind at a GB a second. Two GB went through.
    t.ok(most < 6 * limit, `${most / megabyte} MB at most`)
    store.forgetWhere(() => true)
    const deadline = performance.now() + 10_000
    // Finalizers have their turn after the memory has gone.
    do await new Promise(resolve => setTimeout(resolve, 100))
    while (resident() - before > limit / 2 && performance.now() < deadline)
    t.ok(resident() - before < limit / 2, `${(resident() - before) / megabyte} MB are left`)
    // What V8 counts may also shrink just now, by what it collects; so its kind is looked at.
    const isUncounted = () =>
      Array.from({ length: 50 }, () => store.room(megabyte)).every(({ buffer }) => buffer instanceof SharedArrayBuffer)
    let isRoom = isUncounted()
    for (; !isRoom && performance.now() < deadline; isRoom = isUncounted())
      await new Promise(resolve => setTimeout(resolve, 100))
    t.ok(isRoom, 'what was collected is uncounted room again')
  },
)
