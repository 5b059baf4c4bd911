// Who comes with a certificate of an authority is who the directory says, on listeners and on streams.
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import { startAuthority, type TestClient } from '../fixture/authority.ts'
import { requireReal } from '../fixture/real.ts'
import { slapdTools } from '../fixture/slapd.ts'
import { within } from './app.ts'
import { type DirectoryHouse, startDirectoryHouse } from './directory-house.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const minute = 60_000
const outcome = async ({ gateway }: Pick<DirectoryHouse, 'gateway'>, client: TestClient, path = '/') => {
  const { status, text } = await gateway.ask(path, { client })
  return status === 200 ? '200' : `${status} ${JSON.parse(text).reason ?? JSON.parse(text).type}`
}

/** What a command has written counts within a second. */
const becomes = (house: DirectoryHouse, client: TestClient, expected: string) =>
  within(1_000, async () => (await outcome(house, client)) === expected)

/** What the upstream was told of whoever asked last. */
const remote = ({ upstream }: DirectoryHouse) =>
  ['user', 'groups', 'proof'].map(what => upstream.received.at(-1)?.header(`x-remote-${what}`))

/** Whether a stream echoes, or is ended without a word. */
async function streams(t: Test, { gateway, authority }: DirectoryHouse, client: TestClient): Promise<string> {
  const url = gateway.gateway.listeners.find(({ name }) => name === 'raw')?.urls[0] ?? ''
  const socket = connect({
    ...{ host: '127.0.0.1', port: Number(new URL(url).port), servername: 'localhost', ca: authority.caPem },
    ...{ cert: client.chainPem, key: client.keyPem },
  })
  t.teardown(() => socket.destroy())
  socket.on('error', () => undefined) // told by its end
  await once(socket, 'secureConnect')
  socket.write('hello')
  return await Promise.race([once(socket, 'data').then(String), once(socket, 'close').then(() => 'ended')])
}

t.test('a holder', async t => {
  const house = await startDirectoryHouse(t, { access: '[{ groups: [radiology], may: read }]' })
  const { gateway, authority, accounts, slapd, clock } = house
  const alice = await authority.client('alice')

  await t.test('has the groups of the realm and of the directory, is asked for once, and has an account', async t => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => gateway.ask('/', { client: alice })))
    t.same(new Set(answers.map(({ status }) => status)), new Set([200]))
    t.same(remote(house), ['alice', 'nodes,radiology', 'certificate'])
    t.equal(house.asked(), 1)
    t.match(accounts.find('alice'), { dn: slapd.people.alice.dn, groups: [{ name: 'radiology', source: 'directory' }] })
    clock.move(14 * minute)
    t.equal(await outcome(house, alice), '200')
    t.equal(house.asked(), 1)
    clock.move(2 * minute)
    t.equal(await outcome(house, alice), '200', 'does not wait for what is asked behind')
    t.ok(await within(5_000, () => house.asked() === 2))
  })

  await t.test('whom the directory does not know, or lets in nowhere, is refused with the reason', async t => {
    for (const name of ['nobody', 'carol', '*', 'ALICE', 'uid=alice']) {
      const client = await authority.client(name)
      t.equal(await outcome(house, client), '401 certificate-not-in-directory', name)
      t.equal(await streams(t, house, client), 'ended')
    }
    t.equal((await gateway.ask('/open', { client: await authority.client('nobody') })).status, 200, 'open is open')
    t.equal(accounts.list().length, 1, 'and nobody has an account')
    const told = gateway.audit().filter(({ kind }) => kind === 'certificate-refused')
    t.match(told[0], { reason: 'certificate-not-in-directory', detail: /nobody: / })
  })

  await t.test(
    'who is locked here is refused within a second, also on the next request of an open connection',
    async t => {
      accounts.update('alice', { locked: true })
      t.ok(await becomes(house, alice, '401 account-closed'))
      t.equal(await streams(t, house, alice), 'ended')
      accounts.update('alice', { locked: false })
      t.ok(await becomes(house, alice, '200'))
      t.equal(await streams(t, house, alice), 'hello')
    },
  )

  await t.test('of another entry under the old name is somebody else', async t => {
    const bob = await authority.client('bob')
    await house.regroup('add', 'radiology', slapd.people.bob.dn)
    t.equal(await outcome(house, bob), '200')
    await slapd.modify(`dn: ${slapd.people.bob.dn}
changetype: delete

dn: ${slapd.people.bob.dn}
changetype: add
objectClass: inetOrgPerson
uid: bob
cn: Another Bob
sn: Bob
`)
    await house.regroup('add', 'radiology', slapd.people.bob.dn)
    clock.move(31 * minute)
    t.equal(await outcome(house, bob), '401 certificate-not-in-directory')
    const told = () => gateway.audit().some(({ detail }) => /belongs to another entry/.test(String(detail)))
    t.ok(await within(5_000, told))
  })
})

t.test('a local account is never looked up, also not by its certificate', async t => {
  const accounts = { alice: { password: 'local pass-word', groups: ['radiology'] } }
  const house = await startDirectoryHouse(t, { accounts })
  t.equal(await outcome(house, await house.authority.client('alice')), '401 certificate-not-in-directory')
  t.equal(house.asked(), 0)
})

t.test('a certificate that is trusted as it is has its own name, and is looked up nowhere', async t => {
  const [authority, other] = [await startAuthority(t), await startAuthority(t, 'Elsewhere')]
  const scanner = await other.client('alice')
  const house = await startDirectoryHouse(t, {
    authority,
    trusted: [scanner.certPem],
    access: '[{ groups: [nodes], may: read }]',
  })
  t.equal(await outcome(house, scanner), '200')
  t.same(remote(house), ['alice', 'nodes', 'certificate'])
  t.equal(house.asked(), 0)
})

t.test('with ignoreCase the name in the certificate may be spelt as it likes', async t => {
  const house = await startDirectoryHouse(t, { realms: 'ignoreCase: true' })
  t.equal(await outcome(house, await house.authority.client('ALICE')), '200')
  t.same(remote(house), ['alice', 'nodes,radiology', 'certificate'])
})

t.test('where certificates are required, a holder who is not let in gets the page of certificates', async t => {
  const house = await startDirectoryHouse(t, { certificate: 'required' })
  const { gateway, authority, slapd } = house
  t.equal(await outcome(house, await authority.client('alice')), '200')
  t.equal(await outcome(house, await authority.client('nobody')), '400 certificate-not-in-directory')
  t.match((await gateway.ask('/-/login', { client: await authority.client('nobody') })).status, 400)
  const bob = await authority.client('bob')
  await house.regroup('add', 'radiology', slapd.people.bob.dn)
  t.equal(await outcome(house, bob), '200')
  house.accounts.update('bob', { locked: true })
  t.ok(await becomes(house, bob, '400 account-closed'))
  for (const path of ['/', '/open', '/-/login', '/-/home'])
    t.equal(await outcome(house, bob, path), '400 account-closed', path)
  await slapd.stop()
  t.match(await outcome(house, await authority.client('carol')), /^503/)
})

t.test('who is disabled, locked or expired in the directory is refused, though no bind tells', async t => {
  const house = await startDirectoryHouse(t, { slapd: { overlays: { ppolicy: { pwdLockout: true } } } })
  const { slapd, authority } = house
  await slapd.modify(
    `dn: ${slapd.people.alice.dn}\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n`,
  )
  t.equal(await outcome(house, await authority.client('alice')), '401 account-closed')
})

t.test('while the directory is down', async t => {
  const accounts = { admin: { password: 'local pass-word', groups: ['radiology'] } }
  const house = await startDirectoryHouse(t, { accounts, directory: 'connectTimeout: 1 s' })
  const { gateway, authority, slapd, clock } = house
  const [alice, bob] = [await authority.client('alice'), await authority.client('bob')]
  t.equal(await outcome(house, alice), '200')
  await slapd.stop()
  clock.move(40 * minute)

  await t.test('who was asked for before comes in as before', async t => {
    t.equal(await outcome(house, alice), '200')
    t.equal(await streams(t, house, alice), 'hello')
  })
  await t.test('who was never asked for is a fault: neither denied nor let in', async t => {
    t.match(await outcome(house, bob), /^503/)
    t.equal(await streams(t, house, bob), 'ended')
    t.notOk(gateway.audit().some(({ kind }) => kind === 'certificate-refused' || kind === 'stream-denial'))
  })
  await t.test('a local account comes in all the same, with that certificate in the browser', async t => {
    const form = await gateway.ask('/-/login', { client: bob, headers: { accept: 'text/html' } })
    t.match([form.status, form.text], [200, /cannot be looked up at the moment/])
    t.equal((await gateway.ask('/-/home', { client: bob })).status, 503)
    const cookie = await gateway.signIn('admin', accounts.admin.password)
    t.equal((await gateway.ask('/', { client: bob, cookie })).status, 200)
    t.equal((await gateway.ask('/', { client: bob, basic: `admin:${accounts.admin.password}` })).status, 200)
    t.equal((await gateway.ask('/open', { client: bob })).status, 200, 'open is open')
    const marked = await gateway.ask('/', { client: bob, cookie: '__Host-sallyport-out=1' })
    t.equal(marked.status, 401, 'who has logged out is asked to sign in')
  })
  await t.test('and when it is back, nobody has to wait for long', async t => {
    await slapd.start()
    clock.move(minute)
    t.equal(await outcome(house, alice), '200')
    const deadline = Date.now() + 20_000
    let his = await outcome(house, bob)
    // Servers that failed are left aside for a while.
    while (his.startsWith('503') && Date.now() < deadline) {
      await pause(250)
      his = await outcome(house, bob)
    }
    t.equal(his, '403 not-a-member')
  })
})

t.test('a reload', async t => {
  const house = await startDirectoryHouse(t)
  const { gateway, authority } = house
  const alice = await authority.client('alice')
  t.equal(await outcome(house, alice), '200')

  await t.test('of anything else keeps what was said', async t => {
    t.same(await gateway.reload({ yaml: `${house.yaml()}\ncors: { origins: ["https://elsewhere.example"] }` }), {
      ok: true,
    })
    t.equal(await outcome(house, alice), '200')
    t.equal(house.asked(), 1)
  })
  await t.test('to another directory asks everybody anew', async t => {
    const changed = house.yaml({ directory: 'userFilter: "(&(objectClass=person)(uid=bob))"' })
    t.same(await gateway.reload({ yaml: changed }), { ok: true })
    t.equal(await outcome(house, alice), '401 certificate-not-in-directory')
  })
})
