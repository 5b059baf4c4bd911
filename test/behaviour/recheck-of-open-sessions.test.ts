// Who is signed in by the directory is asked for again in the background, and is out when it no longer lets them in.
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { requireReal } from '../fixture/real.ts'
import { slapdTools } from '../fixture/slapd.ts'
import { within } from './app.ts'
import { type DirectoryHouse, type DirectoryHouseOptions, startDirectoryHouse } from './directory-house.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const minute = 60_000
/** Everything must be felt within this. */
const patience = 6_000

async function startSignedIn(t: Test, options: DirectoryHouseOptions = {}) {
  const house = await startDirectoryHouse(t, { certificate: 'none', ...options })
  t.same(await house.gateway.reload({ yaml: house.yaml() }), { ok: true }, 'a reload changes nothing of this')
  const cookie = await house.gateway.signIn('alice', house.slapd.people.alice.password)
  return { house, cookie, ask: async () => (await house.gateway.ask('/', { cookie })).status }
}

async function openSocket(t: Test, { gateway }: DirectoryHouse, cookie: string): Promise<WebSocket> {
  const socket = new WebSocket(`wss://localhost:${gateway.port}/socket`, {
    ca: gateway.authority.caPem,
    headers: { cookie, origin: gateway.url },
  })
  t.teardown(() => socket.terminate())
  await once(socket, 'open')
  return socket
}

t.test('a session', async t => {
  const ways: Readonly<Record<string, readonly [reason: string, (house: DirectoryHouse) => Promise<void>]>> = {
    'of somebody who is gone from the directory': [
      'not-found',
      ({ slapd }) => slapd.modify(`dn: ${slapd.people.alice.dn}\nchangetype: delete\n`),
    ],
    'of somebody who is in no group any more': [
      'no-groups',
      house => house.regroup('delete', 'radiology', house.slapd.people.alice.dn),
    ],
    'of somebody whose entry is another one now': [
      'moved',
      async house => {
        const { dn } = house.slapd.people.alice
        const entry = 'objectClass: inetOrgPerson\nuid: alice\ncn: Another\nsn: Alice'
        await house.slapd.modify(`dn: ${dn}\nchangetype: delete\n\ndn: ${dn}\nchangetype: add\n${entry}\n`)
        await house.regroup('add', 'radiology', dn)
      },
    ],
  }
  for (const [what, [reason, change]] of Object.entries(ways)) {
    await t.test(`${what} ends, with all that runs under it`, async t => {
      const { house, cookie, ask } = await startSignedIn(t, {
        slapd: {
          people: { dora: { uid: 'dora', password: 'dora pass-word' } },
          groups: { radiology: ['alice', 'dora'] },
        },
      })
      const { gateway, clock } = house
      const others = await gateway.signIn('dora', 'dora pass-word')
      const socket = await openSocket(t, house, cookie)
      const closed = once(socket, 'close')
      const before = house.asked()
      await change(house)
      clock.move(10 * minute)
      t.equal(await ask(), 200)
      t.equal((await gateway.ask('/', { cookie: others })).status, 200)
      t.equal(house.asked(), before, 'no request asks the directory')
      clock.move(6 * minute)
      t.ok(await within(patience, () => socket.readyState === WebSocket.CLOSED), 'the WebSocket is closed')
      t.equal((await closed)[0], 1008)
      t.equal(await ask(), 401)
      t.equal((await gateway.ask('/', { cookie: others })).status, 200, 'somebody else stays in')
      t.ok(await within(patience, () => gateway.audit().some(({ kind }) => kind === 'access-ended')))
      t.match(
        gateway.audit().filter(({ kind }) => kind === 'access-ended'),
        [{ who: { name: 'alice', realm: 'directory', proof: 'session' }, reason, detail: /./ }],
      )
    })
  }
})

t.test('what runs by Basic ends like a session, and what runs for somebody else goes on', async t => {
  const { house } = await startSignedIn(t, {
    slapd: { people: { dora: { uid: 'dora', password: 'x' } }, groups: { radiology: ['alice', 'dora'] } },
  })
  const { gateway, clock, slapd } = house
  const open = async (name: string, password: string) => {
    const socket = new WebSocket(`wss://localhost:${gateway.port}/socket`, {
      ...{ ca: gateway.authority.caPem, auth: `${name}:${password}` },
    })
    t.teardown(() => socket.terminate())
    await once(socket, 'open')
    return socket
  }
  const [hers, others] = [await open('alice', slapd.people.alice.password), await open('dora', 'x')]
  await slapd.modify(`dn: ${slapd.people.alice.dn}\nchangetype: delete\n`)
  clock.move(16 * minute)
  t.ok(await within(patience, () => hers.readyState === WebSocket.CLOSED), 'her WebSocket is closed')
  t.equal(others.readyState, WebSocket.OPEN)
  const ends = () =>
    gateway.audit().filter(({ kind, who }) => kind === 'access-ended' && /password/.test(JSON.stringify(who)))
  t.ok(await within(patience, () => ends().length > 0))
  t.match(ends(), [{ who: { name: 'alice', realm: 'directory', proof: 'password' }, reason: 'not-found' }])
})

t.test('a smaller set of groups counts for the next request, in every session, and for what is open', async t => {
  const { house, cookie, ask } = await startSignedIn(t, {
    slapd: { groups: { radiology: ['alice', 'bob'], cardiology: ['alice'] } },
  })
  const { gateway, clock, slapd, upstream } = house
  t.equal(await ask(), 200)
  t.equal(upstream.received.at(-1)?.header('x-remote-groups'), 'radiology,cardiology')
  const socket = await openSocket(t, house, cookie)
  const closed = once(socket, 'close')
  await house.regroup('delete', 'radiology', slapd.people.alice.dn)
  clock.move(16 * minute)
  const smaller = () => house.accounts.find('alice')?.groups.length === 1
  t.ok(await within(patience, smaller))
  t.equal(await ask(), 403)
  const [code, reason] = await closed
  t.same([code, String(reason)], [1008, 'not permitted any more'])
  t.equal((await gateway.ask('/open', { cookie })).status, 200, 'still signed in')
  t.equal(upstream.received.at(-1)?.header('x-remote-groups'), 'cardiology')
})

t.test('without syncOnLogin groups stay, and the account is looked after all the same', async t => {
  const { house, ask } = await startSignedIn(t, { slapd: { groups: { radiology: ['alice', 'bob'] } } })
  const { slapd, clock, gateway } = house
  const yaml = house.yaml().replace('syncOnLogin: true', 'syncOnLogin: false')
  t.same(await gateway.reload({ yaml }), { ok: true })
  await house.regroup('delete', 'radiology', slapd.people.alice.dn)
  const before = house.asked()
  clock.move(16 * minute)
  t.ok(await within(patience, () => house.asked() > before))
  t.equal(await ask(), 200)
  await slapd.modify(`dn: ${slapd.people.alice.dn}\nchangetype: delete\n`)
  clock.move(16 * minute)
  t.equal(await within(patience, () => gateway.audit().some(({ kind }) => kind === 'access-ended')), true)
  t.equal(await ask(), 401)
})

t.test('with chained431 the entry is read by its name in the tree, past the filter', async t => {
  const { house, ask } = await startSignedIn(t, { realms: 'passwordProvider: chained431' })
  const { slapd, clock, gateway } = house
  const yaml = house.yaml({ directory: 'userFilter: "(&(objectClass=person)(uid=nobody))"' })
  t.same(await gateway.reload({ yaml }), { ok: true })
  clock.move(16 * minute)
  const reads = () => slapd.operations().bases.filter(base => base === slapd.people.alice.dn).length
  t.ok(await within(patience, () => reads() === 1))
  t.equal(await ask(), 200)
})

t.test('a directory that is down ends nobody’s session; a lock here does, and asks nobody', async t => {
  const { house, ask } = await startSignedIn(t, { directory: 'connectTimeout: 1 s' })
  const { slapd, clock, gateway, accounts } = house
  await slapd.stop()
  clock.move(16 * minute)
  t.ok(await within(patience, () => gateway.log().some(({ message }) => /goes on to count/.test(String(message)))))
  t.equal(await ask(), 200)
  accounts.update('alice', { locked: true })
  t.ok(await within(1_000, async () => (await ask()) === 401))
  const again = await within(patience, () => gateway.audit().some(({ kind }) => kind === 'access-ended'))
  t.equal(again, false, 'the request has ended it already')
})
