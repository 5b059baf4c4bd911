import { execFile } from 'node:child_process'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { Conversation } from '../../src/ldap/conversation.ts'
import { createReaderPool } from '../../src/ldap/reader-pool.ts'
import { startDirectoryProxy } from '../fixture/directory-proxy.ts'
import * as wire from '../fixture/ldap-wire.ts'
import { requireReal } from '../fixture/real.ts'
import { silence, startScriptedDirectory } from '../fixture/scripted-directory.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { forAll, forUid, serversOn } from './servers-lab.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const slapd = await startSlapd(t)
const alice = slapd.people.alice

t.test('a hundred searches at once share four connections, each signed in once', async t => {
  const proxy = await startDirectoryProxy(t, slapd.url)
  const servers = serversOn(t, [proxy.url], { readTimeout: 10_000 })
  const before = slapd.operations()
  const found = await Promise.all(Array.from({ length: 100 }, () => servers.search(forUid('alice'))))
  t.ok(found.every(([entry]) => entry?.dn === alice.dn))
  t.equal(proxy.connections, 4)
  const after = slapd.operations()
  t.equal(after.binds - before.binds, 4)
  t.equal(after.searches - before.searches, 100)
})

t.test('more than can wait are refused at once, and nobody waits longer than an answer may take', async t => {
  const silent = await startDirectoryProxy(t, slapd.url, { way: 'silent' })
  const servers = serversOn(t, [silent.url], { readTimeout: 300 })
  const outcomes = await Promise.allSettled(Array.from({ length: 200 }, () => servers.search(forUid('alice'))))
  const codes = outcomes.map(outcome => (outcome.status === 'rejected' ? outcome.reason.code : 'found'))
  t.ok(
    codes.slice(132).every(code => code === 'overloaded'),
    'four at work, 128 waiting',
  )
  t.notOk(codes.includes('found'))
  t.ok(silent.connections <= 12)
})

t.test('sixteen people are checked at once, each on a connection of their own', async t => {
  let [asked, most] = [0, 0]
  const directory = await startScriptedDirectory(t, async ({ operation }) => {
    if (operation !== 'bind') return undefined
    most = Math.max(most, ++asked)
    await pause(20)
    asked--
    return undefined
  })
  const servers = serversOn(t, [directory.url], { readTimeout: 5_000 })
  const answers = await Promise.all(Array.from({ length: 40 }, () => servers.bind(alice.dn, alice.password)))
  t.ok(answers.every(({ right }) => right))
  t.equal(directory.connections, 40)
  t.ok(most > 8 && most <= 16, `${most} at once`)
})

t.test('a kept connection that died is replaced within the same search, and nobody is told', async t => {
  const proxy = await startDirectoryProxy(t, slapd.url)
  const servers = serversOn(t, [proxy.url])
  await servers.search(forUid('alice'))
  // As after a restart: neither side says anything to the other.
  await proxy.switchTo('refuse')
  await proxy.switchTo('pass')
  t.match(await servers.search(forUid('alice')), [{ dn: alice.dn }])
  t.equal(proxy.connections, 2)
  t.match(servers.state(), [{ failures: 0 }])
})

t.test('a directory that hangs up at the question is asked once more, and no third time', async t => {
  for (const [hangsUpAt, comes] of [
    [[2], 'an answer'],
    [[2, 3], 'a fault'],
  ] as const) {
    let searches = 0
    const directory = await startScriptedDirectory(t, ({ operation }, line) => {
      if (operation === 'search') searches++
      if (operation !== 'search' || !hangsUpAt.some(nth => nth === searches)) return undefined
      line.socket.destroy()
      return silence
    })
    const servers = serversOn(t, [directory.url])
    t.same(await servers.search(forUid('alice')), [])
    const second = servers.search(forUid('alice'))
    if (comes === 'an answer') t.same(await second, [])
    else await t.rejects(second, { code: 'directory-unavailable' })
    t.equal(searches, 3)
    t.equal(directory.connections, 2)
    t.match(servers.state(), [{ failures: comes === 'an answer' ? 0 : 1 }])
  }
})

t.test('a connection carries any number of answers, as each is bounded for itself', async t => {
  const photo = Buffer.alloc(1_000_000, 0x61)
  const directory = await startScriptedDirectory(t, ({ id, operation }) =>
    operation === 'search'
      ? Buffer.concat([wire.searchEntry(id, 'uid=a,dc=x', { photo: [photo] }), wire.searchDone(id)])
      : undefined,
  )
  const servers = serversOn(t, [directory.url], { readTimeout: 5_000 })
  for (let nth = 0; nth < 20; nth++) {
    const [entry] = await servers.search({ ...forUid('alice'), binary: ['PHOTO'] })
    t.equal(entry?.bytes.get('photo')?.[0]?.length, photo.length)
  }
  t.equal(directory.connections, 1)
})

t.test('an empty page with a name behind it is not the last', async t => {
  let asked = 0
  const directory = await startScriptedDirectory(t, ({ id, operation }) => {
    if (operation !== 'search') return undefined
    asked++
    const entry = asked === 1 || asked === 3 ? [wire.searchEntry(id, `cn=${asked}`, { cn: [`${asked}`] })] : []
    return Buffer.concat([
      ...entry,
      wire.searchDone(id, { controls: [wire.pagedResults(asked === 3 ? '' : `page ${asked}`)] }),
    ])
  })
  const found = await serversOn(t, [directory.url]).search(forAll('groupOfNames'))
  t.same(
    found.map(({ dn }) => dn),
    ['cn=1', 'cn=3'],
  )
})

t.test("one entry at the directory's own limit is no single match", async t => {
  const directory = await startScriptedDirectory(t, ({ id, operation }) =>
    operation === 'search'
      ? Buffer.concat([wire.searchEntry(id, 'uid=a,dc=x', { uid: ['a'] }), wire.searchDone(id, { code: 4 })])
      : undefined,
  )
  await t.rejects(serversOn(t, [directory.url]).search(forUid('a')), { code: 'directory-misconfigured' })
})

t.test('a name with a byte order mark is another name', async t => {
  const directory = await startScriptedDirectory(t, ({ id, operation }) =>
    operation === 'search'
      ? Buffer.concat([wire.searchEntry(id, 'uid=a,dc=x', { uid: ['\ufeffalice'] }), wire.searchDone(id)])
      : undefined,
  )
  const [entry] = await serversOn(t, [directory.url]).search(forUid('alice'))
  t.same(entry?.attributes.get('uid'), ['\ufeffalice'])
})

t.test('a probe over a kept connection asks it something, and is a fault when nobody answers', async t => {
  const proxy = await startDirectoryProxy(t, slapd.url)
  const servers = serversOn(t, [proxy.url], { readTimeout: 200 })
  await servers.probe()
  const before = slapd.operations().searches
  await servers.probe()
  t.equal(slapd.operations().searches, before + 1)
  t.equal(proxy.connections, 1)
  await proxy.switchTo('half-open')
  await t.rejects(servers.probe(), { code: 'directory-unavailable' })
})

t.test('after its end nothing is kept, and who asks all the same is answered', async t => {
  const proxy = await startDirectoryProxy(t, slapd.url)
  const servers = serversOn(t, [proxy.url])
  await servers.search(forUid('alice'))
  await servers[Symbol.asyncDispose]()
  t.match(await servers.search(forUid('alice')), [{ dn: alice.dn }])
  await pause(50)
  t.same(
    proxy.passed.map(({ closed }) => closed),
    [true, true],
  )
})

t.test('a kept connection is closed after a while, and one that is old is not kept', async t => {
  const accepted: Socket[] = []
  const server = createServer(socket => accepted.push(socket.resume()))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  const open = async () => {
    const socket = connect(port, '127.0.0.1')
    await new Promise(resolve => socket.once('connect', resolve))
    return new Conversation(socket)
  }
  const pool = createReaderPool({ rest: 40, age: 60_000 })
  const first = await open()
  pool.giveBack(first)
  t.equal(pool.take(), first)
  pool.giveBack(first)
  await pause(80)
  t.equal(pool.take(), undefined)
  t.notOk(first.isOpen)

  const aged = createReaderPool({ rest: 1_000, age: 20 })
  const second = await open()
  aged.giveBack(second)
  t.equal(aged.take(), second)
  await pause(30)
  aged.giveBack(second)
  t.equal(aged.take(), undefined)
})

t.test('a kept connection keeps no process alive', async t => {
  const program = `
    const { serversOn, forUid } = await import('./test/ldap/servers-lab.ts')
    const servers = serversOn({ teardown() {} }, ['${slapd.url}'])
    console.log((await servers.search(forUid('alice'))).length)`
  const args = ['--input-type=module', '--eval', program]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 10_000 })
  t.equal(stdout.trim(), '1')
})
