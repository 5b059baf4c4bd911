// A holder whom the directory lets in no longer loses all that is open, within seconds of the answer.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { startDirectoryProxy } from '../fixture/directory-proxy.ts'
import { rawTls } from '../fixture/raw-tls.ts'
import { requireReal } from '../fixture/real.ts'
import { slapdTools } from '../fixture/slapd.ts'
import { openAll, seeCut } from './all-open.ts'
import { within } from './app.ts'
import { type DirectoryHouse, startDirectoryHouse } from './directory-house.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const minute = 60_000
/** Everything must be felt within this. */
const patience = 5_000

/** A connection on which nothing is under way. */
const stays = /kept open|HTTP\/2/

const people = { people: { dora: { uid: 'dora', password: 'x' } }, groups: { radiology: ['alice', 'dora'] } }

async function openBoth(t: Parameters<typeof openAll>[0], house: DirectoryHouse) {
  const [alice, dora] = [await house.authority.client('alice'), await house.authority.client('dora')]
  return { alice, dora, hers: await openAll(t, house.gateway, alice), others: await openAll(t, house.gateway, dora) }
}

t.test('what happens to the account', async t => {
  const ways: Readonly<Record<string, (house: DirectoryHouse) => Promise<void>>> = {
    'gone from the directory': ({ slapd }) => slapd.modify(`dn: ${slapd.people.alice.dn}\nchangetype: delete\n`),
    'in no group any more': house => house.regroup('delete', 'radiology', house.slapd.people.alice.dn),
    'locked in the directory': ({ slapd }) =>
      slapd.modify(
        `dn: ${slapd.people.alice.dn}\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n`,
      ),
  }
  for (const [what, change] of Object.entries(ways)) {
    await t.test(what, async t => {
      const house = await startDirectoryHouse(t, { slapd: { ...people, overlays: { ppolicy: { pwdLockout: true } } } })
      const { gateway, clock } = house
      const { alice, dora, hers, others } = await openBoth(t, house)
      const before = house.asked()
      await change(house)
      clock.move(14 * minute)
      t.equal((await gateway.ask('/', { client: alice })).status, 200, 'not asked yet')
      clock.move(2 * minute)
      await seeCut(t, hers, patience)
      for (const { what, isOpen } of others) t.ok(isOpen(), `${what} of somebody else goes on`)
      t.equal((await gateway.ask('/', { client: alice })).status, 401)
      t.equal((await gateway.ask('/', { client: dora })).status, 200)
      t.equal(house.asked(), before + 2, 'each of them was asked for once')
      t.ok(await within(patience, () => gateway.audit().some(({ kind }) => kind === 'access-ended')))
      const told = gateway.audit().filter(({ kind }) => kind === 'access-ended')
      t.match(told, [{ who: { name: 'alice', realm: 'directory', proof: 'certificate' }, detail: /alice|name/ }])
      t.equal(told.length, 1)
    })
  }
})

t.test('locked here, by a command, behind somebody whose record is damaged', async t => {
  const house = await startDirectoryHouse(t, { slapd: people })
  await openAll(t, house.gateway, await house.authority.client('dora'))
  const { hers, others } = await openBoth(t, house)
  using state = new DatabaseSync(join(house.gateway.dir, 'state', 'sallyport.db'))
  state.exec("update directory_account set groups = 'no list' where name = 'dora'")
  house.accounts.update('alice', { locked: true })
  await seeCut(t, hers, patience)
  for (const { what, isOpen } of others) t.ok(isOpen(), `${what} of somebody else goes on`)
  t.equal(house.asked(), 2, 'and the directory was not asked again')
})

t.test('one of several groups is taken away: streams and what is under way end, and she stays in', async t => {
  const house = await startDirectoryHouse(t, {
    slapd: { ...people, groups: { ...people.groups, cardiology: ['alice'] } },
    holders: 'groups: []',
  })
  const { gateway, clock, slapd } = house
  const { alice, hers, others } = await openBoth(t, house)
  await house.regroup('delete', 'radiology', slapd.people.alice.dn)
  clock.move(16 * minute)
  const [kept, lost] = [hers.filter(one => stays.test(one.what)), hers.filter(one => !stays.test(one.what))]
  await seeCut(t, lost, patience)
  for (const { what, isOpen } of [...kept, ...others]) t.ok(isOpen(), `${what} goes on`)
  t.equal((await gateway.ask('/open', { client: alice })).status, 200)
  t.equal((await gateway.ask('/', { client: alice })).status, 403)
})

t.test('while the directory is down nothing is cut, and afterwards it is', async t => {
  const house = await startDirectoryHouse(t, { slapd: people, directory: 'connectTimeout: 1 s' })
  const { slapd, clock, gateway } = house
  const { hers, others } = await openBoth(t, house)
  await slapd.stop()
  clock.move(16 * minute)
  t.ok(await within(patience, () => gateway.log().some(({ message }) => /goes on to count/.test(String(message)))))
  for (const { what, isOpen } of [...hers, ...others]) t.ok(isOpen(), `${what} goes on`)
  await slapd.start()
  await house.regroup('delete', 'radiology', slapd.people.alice.dn)
  // The server is left aside for a while by a clock that nobody moves.
  const cut = () => {
    clock.move(1_000)
    return hers.every(({ isOpen }) => !isOpen())
  }
  t.ok(await within(30_000, cut))
  for (const { what, isOpen } of others) t.ok(isOpen(), `${what} of somebody else goes on`)
})

t.test('a reload to a directory that does not know them', async t => {
  const house = await startDirectoryHouse(t, { slapd: people })
  const { hers, others } = await openBoth(t, house)
  const yaml = house.yaml({ directory: 'userFilter: "(&(objectClass=person)(uid=dora))"' })
  t.same(await house.gateway.reload({ yaml }), { ok: true })
  await seeCut(t, hers, patience)
  for (const { what, isOpen } of others) t.ok(isOpen(), `${what} of somebody else goes on`)
})

t.test('a reload in the middle of a lookup reaches the stream that it was for', async t => {
  const house = await startDirectoryHouse(t, { slapd: people })
  const { gateway, slapd, authority } = house
  const proxy = await startDirectoryProxy(t, slapd.url)
  const yaml = house.yaml().replace(slapd.url, proxy.url)
  t.same(await gateway.reload({ yaml }), { ok: true })
  await proxy.switchTo({ slow: 250 })
  const { chainPem: cert, keyPem: key } = await authority.client('alice')
  const port = Number(new URL(gateway.gateway.listeners.find(({ name }) => name === 'raw')?.urls[0] ?? '').port)
  using line = await rawTls(port, { ca: authority.caPem, cert, key })
  await line.write('hello')
  t.ok(await within(patience, () => proxy.passed.some(({ request }) => request().includes('alice'))))
  t.same(await gateway.reload({ yaml: yaml.replace('[{ groups: [radiology] }]', '[{ groups: [others] }]') }), {
    ok: true,
  })
  t.equal((await line.read({ until: 'hello' })).ended, 'until', 'let in by the rules that it came under')
  t.match((await line.read({ timeout: patience })).ended, /end|error/)
})
