import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createBasicCheck } from '../../src/identity/basic-credentials.ts'
import { openLocalAccounts } from '../../src/identity/local-accounts.ts'
import { createPasswordCheck, type PasswordRealms } from '../../src/identity/password-realms.ts'
import { createStanding } from '../../src/identity/standing.ts'
import { createThrottle, usualLimits } from '../../src/identity/throttle.ts'
import type { Directory } from '../../src/ldap/directory.ts'
import { requireReal } from '../fixture/real.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { startRawDirectory } from '../ldap/raw-directory.ts'
import { directoryOf } from '../ldap/settings.ts'
import { movedClock } from './moved-clock.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const slapd = await startSlapd(t, {
  people: { admin: { uid: 'admin', password: 'directory admin' } },
  groups: { everyone: ['alice', 'special', 'admin'] },
})
const { alice, carol, special } = slapd.people
const from = '10.0.0.1'

async function realmsOf(t: Test, options: Partial<PasswordRealms> & { at?: Directory } = {}) {
  const local = openLocalAccounts({ file: join(t.testdir({}), 'users.yaml'), clock: movedClock() })
  await local.add({ name: 'admin', groups: ['pacs-admins'], password: 'local admin' })
  const { at: directory = directoryOf(slapd), ...more } = options
  const passwords = createPasswordCheck({ provider: 'chained', local, directory, throttle: createThrottle(), ...more })
  const verify = (name: string, password: string) => passwords.verify(name, password, from)
  return { local, passwords, verify }
}

t.test('a person of the directory is proven, with the groups of the directory', async t => {
  const { verify } = await realmsOf(t)
  t.same(await verify('alice', alice.password), {
    kind: 'proven',
    principal: {
      name: 'alice',
      realm: 'directory',
      groups: new Set(['radiology', 'everyone']),
      proof: { kind: 'password' },
    },
  })
  t.match(await verify('Bob (Ext) *', special.password), { kind: 'proven', principal: { name: 'Bob (Ext) *' } })
})

t.test('wrong, unknown, locked and without a group look the same to the person', async t => {
  const { verify, local } = await realmsOf(t)
  await local.add({ name: 'locked', groups: [], password: 'its password' })
  await local.setLocked('locked', true)
  const answers = [
    await verify('alice', 'wrong'),
    await verify('nobody', 'wrong'),
    await verify('ALICE', alice.password),
    await verify('admin', 'wrong'),
    await verify('locked', 'its password'),
    await verify('carol', carol.password),
  ]
  t.same(
    answers.map(answer => answer.kind === 'refused' && answer.reason),
    Array(6).fill('wrong-credentials'),
  )
  const details = answers.map(answer => answer.kind === 'refused' && answer.detail)
  t.equal(new Set(details).size, 6, 'but not to the audit trail')
})

t.test('an empty, blank or NUL password, or no possible name, is asked of nobody and not counted', async t => {
  const { verify } = await realmsOf(t)
  const before = slapd.operations()
  for (let round = 0; round < 3; round++) {
    for (const password of ['', ' ', '\t', '\0', 'a\0b', 'x'.repeat(2_000)])
      t.match(await verify('alice', password), { kind: 'refused', reason: 'wrong-credentials' })
    for (const name of ['', 'a\0', 'a\nb', 'x'.repeat(10_000)])
      t.match(await verify(name, 'x'), { kind: 'refused', reason: 'wrong-credentials' })
  }
  t.same(slapd.operations(), before)
  t.match(await verify('alice', alice.password), { kind: 'proven' })
})

t.test('filters in a name prove nobody', async t => {
  const { verify } = await realmsOf(t)
  for (const name of ['*', ')(uid=*', 'alice)(|(uid=*', 'EXTERNAL', 'PLAIN', slapd.people.alice.dn]) {
    t.match(await verify(name, alice.password), { kind: 'refused', reason: 'wrong-credentials' }, name)
  }
})

t.test('a local account is never looked up in the directory', async t => {
  const { verify } = await realmsOf(t)
  const before = slapd.operations()
  t.match(await verify('admin', 'local admin'), {
    kind: 'proven',
    principal: { realm: 'local', groups: new Set(['pacs-admins']) },
  })
  t.match(await verify('admin', 'directory admin'), { kind: 'refused', reason: 'wrong-credentials' })
  t.same(slapd.operations(), before)
})

t.test('where only the directory is asked, a local name proves nobody, and the other way round', async t => {
  const directoryOnly = await realmsOf(t, { provider: 'directory' })
  t.match(await directoryOnly.verify('alice', alice.password), { kind: 'proven' })
  t.match(await directoryOnly.verify('admin', 'local admin'), { kind: 'refused' })
  t.match(await directoryOnly.verify('admin', 'directory admin'), { kind: 'refused' })
  const localOnly = await realmsOf(t, { provider: 'local' })
  t.match(await localOnly.verify('admin', 'local admin'), { kind: 'proven' })
  t.match(await localOnly.verify('alice', alice.password), { kind: 'refused' })
})

t.test('while the directory is down or hangs its people get a fault, and local accounts get in', async t => {
  const mute = await startRawDirectory(t)
  const down = directoryOf(slapd, { urls: ['ldap://127.0.0.1:1'] })
  const hung = directoryOf(slapd, { urls: [mute.url], readTimeout: '500 ms' })
  for (const at of [down, hung]) {
    const { verify } = await realmsOf(t, { at })
    await t.rejects(verify('alice', alice.password), { code: 'directory-unavailable' })
    await t.rejects(verify('alice', 'wrong'), { code: 'directory-unavailable' })
    const many = Promise.allSettled(Array.from({ length: 60 }, (_, at) => verify(`person${at}`, 'x')))
    t.match(await verify('admin', 'local admin'), { kind: 'proven' })
    await many
  }
})

t.test("an outage counts as nobody's failure", async t => {
  const throttle = createThrottle({ ...usualLimits, name: { failures: 2, within: 60_000 } })
  const broken = await realmsOf(t, { throttle, at: directoryOf(slapd, { urls: ['ldap://127.0.0.1:1'] }) })
  for (let tries = 0; tries < 4; tries++)
    await t.rejects(broken.verify('alice', alice.password), { code: 'directory-unavailable' })
  const { verify } = await realmsOf(t, { throttle })
  t.match(await verify('alice', alice.password), { kind: 'proven' })
})

t.test(
  'after five failures a name is throttled: even the right password is not tried, until the time is over',
  async t => {
    const { verify } = await realmsOf(t)
    for (let tries = 0; tries < 5; tries++) t.match(await verify('alice', 'wrong'), { reason: 'wrong-credentials' })
    const before = slapd.operations().binds
    const answer = await verify('alice', alice.password)
    t.match(answer, { kind: 'refused', reason: 'throttled' })
    t.ok(answer.kind === 'refused' && (answer.retryAfter ?? 0) > 0 && (answer.retryAfter ?? 0) <= 300)
    t.equal(slapd.operations().binds, before)
    t.match(await verify('Bob (Ext) *', special.password), { kind: 'proven' })
  },
)

t.test('success forgets the failures before it', async t => {
  const { verify } = await realmsOf(t)
  for (let round = 0; round < 3; round++) {
    for (let tries = 0; tries < 4; tries++) await verify('alice', 'wrong')
    t.match(await verify('alice', alice.password), { kind: 'proven' })
  }
})

t.test('guesses at the same time are no way around the throttle', async t => {
  const { verify } = await realmsOf(t)
  const answers = await Promise.allSettled(Array.from({ length: 17 }, (_, at) => verify('alice', `guess ${at}`)))
  const tried = answers.filter(
    answer =>
      answer.status === 'fulfilled' && answer.value.kind === 'refused' && answer.value.reason === 'wrong-credentials',
  )
  t.equal(tried.length, 5)
})

t.test('five requests with Basic bind the person once', async t => {
  const { passwords, local } = await realmsOf(t)
  const byBasic = createBasicCheck({
    passwords,
    standing: createStanding({ local, accounts: { find: () => undefined } }),
    clock: movedClock(),
  })
  const before = slapd.operations().bindDns.length
  const header = ['authorization', `Basic ${Buffer.from(`alice:${alice.password}`).toString('base64')}`] as const
  for (let request = 0; request < 5; request++) t.match(await byBasic([header], from), { kind: 'proven' })
  const bound = slapd.operations().bindDns.slice(before)
  t.same(
    bound.filter(dn => dn === alice.dn),
    [alice.dn],
  )
})

t.test('Basic forgets a local account that is locked, changed or removed', async t => {
  const { passwords, local } = await realmsOf(t)
  const byBasic = createBasicCheck({
    passwords,
    standing: createStanding({ local, accounts: { find: () => undefined } }),
    clock: movedClock(),
  })
  const ask = (password = 'local admin') =>
    byBasic([['authorization', `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`]], from)
  t.match(await ask(), { kind: 'proven' })
  await local.setLocked('admin', true)
  t.match(await ask(), { kind: 'refused' })
  await local.setLocked('admin', false)
  t.match(await ask(), { kind: 'proven' })
  await local.setPassword('admin', 'another')
  t.match(await ask(), { kind: 'refused' })
  t.match(await ask('another'), { kind: 'proven' })
  await local.remove('admin')
  t.match(await ask('another'), { kind: 'refused' })
})

t.test('an unknown name costs the directory the same steps as a wrong password', async t => {
  const { verify } = await realmsOf(t)
  const stepsOf = async (name: string) => {
    const before = slapd.operations()
    await verify(name, 'wrong')
    const { binds, searches } = slapd.operations()
    return { binds: binds - before.binds, searches: searches - before.searches }
  }
  t.same(await stepsOf('nobody'), await stepsOf('alice'))
})

t.test('the directory is asked sixteen things at once, and a flood is refused as such', async t => {
  let [running, most] = [0, 0]
  const never = { checkPassword: () => t.fail(), groupsOf: () => t.fail() } as unknown as Directory // safe: nobody is found
  const at: Directory = {
    ...never,
    async find() {
      most = Math.max(most, ++running)
      await new Promise(resolve => setTimeout(resolve, 5))
      running--
      return { kind: 'not-found', why: 'nobody' }
    },
    async pretendToCheck() {},
  }
  const local = { find: () => undefined, verify: async () => ({ kind: 'unknown' }) as const }
  const { verify } = await realmsOf(t, { at, local })
  const answers = await Promise.allSettled(Array.from({ length: 300 }, (_, nth) => verify(`person${nth}`, 'x')))
  t.equal(most, 16)
  const refused = answers.filter(({ status }) => status === 'rejected')
  t.equal(refused.length, 300 - 16 - 256)
  t.match(refused[0], { reason: { code: 'overloaded' } })
})
