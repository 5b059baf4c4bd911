// What does not fit into memory lies in a file without a name, sealed: nobody else can read it, and what was changed in it, or
// overwritten, was never there.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type DiskStore, openDiskStore } from '../../src/cache/disk-store.ts'
import { isOld } from '../../src/cache/frame-store.ts'
import { within } from '../behaviour/app.ts'

const frameOf = (number: number, study = '1.2.3') => ({
  key: `/frames/${number}\nhost\n*/*`,
  study,
  headers: [['content-type', 'image/png']] as const,
  body: Buffer.alloc(40_000 + ((number * number * 7_919) % 160_000), `frame number ${number} `),
})
const terms = { since: 0, maxAge: 100 }

function open(t: Test, limit = 2_000_000) {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-frames-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const warnings: string[] = []
  const clock = { time: 0 }
  const store = openDiskStore({
    folder,
    limit,
    isOld: one => isOld(one, clock.time),
    warn: text => void warnings.push(text),
  })
  t.teardown(() => store[Symbol.dispose]())
  const link = readdirSync('/proc/self/fd').find(fd => linkOf(fd).startsWith(folder)) ?? 'none'
  return { folder, store, warnings, clock, file: `/proc/self/fd/${link}` }
}
function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return '' // the one that read the folder
  }
}
const has = async (store: DiskStore, number: number) => {
  const found = await store.find(frameOf(number).key)
  if (found === undefined) return false
  return found.isCurrent() && found.frame.body.equals(frameOf(number).body) && found.frame.key === frameOf(number).key
}
/** Each is read from the disk, and not from what still waits to be written. */
const written = (store: DiskStore) => within(5_000, () => store.waiting === 0)

t.test('what was put there comes back the same; there is no file to be seen, and nothing in it to be read', async t => {
  const { folder, store, file } = open(t)
  for (let number = 0; number < 10; number++) {
    store.put(frameOf(number), terms)
    t.ok(await has(store, number), 'before it is written')
    if (number % 2 === 1) await written(store)
  }
  await written(store)
  for (let number = 0; number < 10; number++) t.ok(await has(store, number))
  t.same((await store.find(frameOf(5).key))?.frame, frameOf(5))
  t.notOk(await has(store, 11))
  t.same(readdirSync(folder), [])
  const bytes = readFileSync(file)
  t.ok(bytes.length > 600_000)
  t.notMatch(bytes.toString('latin1'), /frame number|image\/png|1\.2\.3/)
})

t.test('it is written round and round: the oldest go, and nothing is ever mixed', async t => {
  const { store } = open(t)
  for (let number = 0; number < 200; number++) {
    store.put(frameOf(number), { ...terms, since: number % 2 })
    if (number % 2 === 0) await written(store)
    if (store.used > 2_000_000) t.fail(`${store.used} bytes`)
  }
  await written(store)
  const there = await Promise.all(Array.from({ length: 200 }, (_, number) => has(store, number)))
  const kept = there.filter(Boolean).length
  t.ok(kept >= 10 && kept <= 25, `${kept}`)
  t.equal(there.lastIndexOf(true), 199)
})

t.test('what was changed in the file was never there', async t => {
  const { store, file } = open(t)
  for (let number = 0; number < 3; number++) store.put(frameOf(number), terms)
  await written(store)
  // A single byte would be the very one that stands there, one time in 256.
  writeSync(openSync(file, 'r+'), Buffer.alloc(16, 'x'), 0, 16, frameOf(0).body.length + 5_000)
  t.same(await Promise.all([0, 2].map(number => has(store, number))), [true, true])
  t.equal(await store.find(frameOf(1).key), undefined)
})

t.test('what is too old, small or forgotten is not found', async t => {
  const { store, clock } = open(t)
  store.put({ ...frameOf(0), body: Buffer.alloc(1_000) }, terms)
  for (const [number, study] of [
    [1, '1.2.3'],
    [2, '4.5.6'],
    [3, '4.5.6'],
  ] as const)
    store.put(frameOf(number, study), { since: number, maxAge: 100 })
  store.forgetWhere(({ study }) => study === '1.2.3')
  const reading = store.find(frameOf(2).key)
  store.forget(frameOf(2).key)
  t.notOk((await reading)?.isCurrent())
  await written(store)
  t.same(await Promise.all([0, 1, 2, 3].map(number => has(store, number))), [false, false, false, true])
  clock.time = 103
  t.notOk(await has(store, 3))
  t.equal(store.used, 0)
})

t.test('what would have to wait for long is not written, and after the end nothing is', async t => {
  const { store } = open(t)
  for (let number = 0; number < 15; number++) store.put(frameOf(number), terms)
  t.ok(store.used <= 500_000, 'a quarter of all may wait')
  store[Symbol.dispose]()
  store.put(frameOf(20), terms)
  t.notOk(await has(store, 1))
  t.notOk(await has(store, 20))
})

t.test('a disk that takes no more is told once, and fails nothing', async t => {
  const { store, warnings } = open(t, 64_000_000)
  const ignore = () => undefined
  // Beyond it each write fails (EFBIG).
  const allow = (bytes: number | 'unlimited') =>
    execFileSync('prlimit', ['--pid', `${process.pid}`, `--fsize=${bytes}:`])
  process.on('SIGXFSZ', ignore)
  t.teardown(() => process.off('SIGXFSZ', ignore))
  allow(300_000)
  t.teardown(() => allow('unlimited'))
  for (let number = 0; number < 10; number++) store.put(frameOf(number), terms)
  await written(store)
  t.match(warnings, [/^frames cannot be kept on the disk: EFBIG/])
  t.equal(warnings.length, 1)
  const there = await Promise.all(Array.from({ length: 10 }, (_, number) => has(store, number)))
  t.same([there[0], there[9]], [true, false])
  store.put(frameOf(20), terms)
  t.notOk(await has(store, 20), 'and it rests')
})
