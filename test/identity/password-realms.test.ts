// A name and a password are asked of the one realm that may answer, and nobody who guesses learns anything.
import t from 'tap'
import { createBasicCheck } from '../../src/identity/basic-credentials.ts'
import { createFailureCounts } from '../../src/identity/failure-counts.ts'
import type { Directory } from '../../src/ldap/directory.ts'
import { requireReal } from '../fixture/real.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { startRawDirectory } from '../ldap/raw-directory.ts'
import { directoryOf } from '../ldap/settings.ts'
import { movedClock } from './moved-clock.ts'
import { from, realmsOf } from './realms-of.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const slapd = await startSlapd(t, {
  people: { admin: { uid: 'admin', password: 'directory admin' } },
  groups: { everyone: ['alice', 'special', 'admin'] },
})
const { alice, carol, special } = slapd.people
const at = directoryOf(slapd)
/** How often an entry is bound while something is done. */
async function bindsDuring(what: () => Promise<unknown>, { dn } = alice, directory = slapd): Promise<number> {
  const count = () => directory.operations().bindDns.filter(bound => bound === dn).length
  const before = count()
  await what()
  return count() - before
}

t.test('a person of the directory is proven, with the groups of the directory', async t => {
  const { verify, accounts, clock } = await realmsOf(t, { at })
  t.match(await verify('alice', alice.password), {
    kind: 'proven',
    principal: {
      ...{ name: 'alice', realm: 'directory', proof: { kind: 'password' } },
      groups: new Set(['radiology', 'everyone']),
    },
  })
  t.match(accounts.find('alice'), {
    ...{ dn: alice.dn, locked: false, createdAt: clock.now(), lastLoginAt: clock.now() },
    particulars: { email: 'alice@lab.test' },
  })
  t.match(await verify('Bob (Ext) *', special.password), { kind: 'proven', principal: { name: 'Bob (Ext) *' } })
})

t.test('wrong, unknown, locked and without a group look the same to the person', async t => {
  const { verify, local, accounts } = await realmsOf(t, { at })
  await local.add({ name: 'locked', groups: [], password: 'its password' })
  await local.setLocked('locked', true)
  await verify('Bob (Ext) *', special.password)
  accounts.update('Bob (Ext) *', { locked: true })
  const answers = [
    await verify('alice', 'wrong'),
    await verify('nobody', 'wrong'),
    await verify('ALICE', alice.password),
    await verify('admin', 'wrong'),
    await verify('locked', 'its password'),
    await verify('Bob (Ext) *', special.password),
    await verify('carol', carol.password),
  ]
  t.same(
    answers.map(answer => answer.kind === 'refused' && answer.reason),
    Array(7).fill('wrong-credentials'),
  )
  const details = answers.map(answer => answer.kind === 'refused' && answer.detail)
  t.equal(new Set(details).size, 7, 'but not to the audit trail')
})

t.test('an empty, blank or NUL password, or no possible name, is asked of nobody and not counted', async t => {
  const { verify } = await realmsOf(t, { at })
  const before = slapd.operations()
  for (let round = 0; round < 3; round++) {
    for (const password of ['', ' ', '\t', '\0', 'a\0b', 'x'.repeat(2_000)])
      t.match(await verify('alice', password), { kind: 'refused', reason: 'wrong-credentials' })
    for (const name of ['', 'a\0', 'a\nb', 'x'.repeat(10_000), 'a\ud800'])
      t.match(await verify(name, 'x'), { kind: 'refused', reason: 'wrong-credentials' })
  }
  t.same(slapd.operations(), before)
  t.match(await verify('alice', alice.password), { kind: 'proven' })
})

t.test('filters in a name prove nobody', async t => {
  const { verify } = await realmsOf(t, { at })
  for (const name of ['*', ')(uid=*', 'alice)(|(uid=*', 'EXTERNAL', 'PLAIN', alice.dn]) {
    t.match(await verify(name, alice.password), { kind: 'refused', reason: 'wrong-credentials' }, name)
  }
})

t.test('a local account is never looked up in the directory', async t => {
  const { verify } = await realmsOf(t, { at })
  const before = slapd.operations()
  t.match(await verify('admin', 'local admin'), {
    kind: 'proven',
    principal: { realm: 'local', groups: new Set(['pacs-admins']) },
  })
  t.match(await verify('admin', 'directory admin'), { kind: 'refused', reason: 'wrong-credentials' })
  t.same(slapd.operations(), before)
})

t.test('while the directory is down or hangs its people get a fault, and local accounts get in', async t => {
  const mute = await startRawDirectory(t)
  const down = directoryOf(slapd, { urls: ['ldap://127.0.0.1:1'] })
  const hung = directoryOf(slapd, { urls: [mute.url], readTimeout: '500 ms' })
  for (const at of [down, hung]) {
    const { verify } = await realmsOf(t, { at, grid: 500 })
    await t.rejects(verify('alice', alice.password), { code: 'directory-unavailable' })
    await t.rejects(verify('alice', 'wrong'), { code: 'directory-unavailable' })
    const many = Promise.allSettled(Array.from({ length: 40 }, (_, at) => verify(`person${at}`, 'x')))
    t.match(await verify('admin', 'local admin'), { kind: 'proven' })
    await many
  }
})

t.test("an outage counts as nobody's failure", async t => {
  const counts = createFailureCounts(movedClock())
  const limits = { name: { failures: 2, within: 60_000 } }
  const broken = await realmsOf(t, { counts, limits, at: directoryOf(slapd, { urls: ['ldap://127.0.0.1:1'] }) })
  for (let tries = 0; tries < 4; tries++)
    await t.rejects(broken.verify('alice', alice.password), { code: 'directory-unavailable' })
  const { verify } = await realmsOf(t, { counts, limits, at, dir: broken.dir })
  t.match(await verify('alice', alice.password), { kind: 'proven' })
})

t.test(
  'after four failures a name is throttled: even the right password is not tried, until it was left alone',
  async t => {
    const { verify, clock } = await realmsOf(t, { at })
    for (const spelling of ['alice', 'ALICE', 'alice', 'Alice'])
      t.match(await verify(spelling, `wrong ${spelling}`), { reason: 'wrong-credentials' })
    const before = slapd.operations().binds
    t.match(await verify('alice', alice.password), { kind: 'refused', reason: 'throttled', retryAfter: 30 * 60 })
    t.equal(slapd.operations().binds, before)
    t.match(await verify('Bob (Ext) *', special.password), { kind: 'proven' })
    clock.move(30 * 60_000)
    t.match(await verify('alice', alice.password), { kind: 'proven' })
  },
)

t.test('success forgets the failures before it', async t => {
  const { verify } = await realmsOf(t, { at })
  for (let round = 0; round < 3; round++) {
    for (let tries = 0; tries < 3; tries++) await verify('alice', 'wrong')
    t.match(await verify('alice', alice.password), { kind: 'proven' })
  }
})

t.test('guesses at the same time are no way around the throttle, in no spelling', async t => {
  const { verify } = await realmsOf(t, { at, provider: 'directory' })
  const spellings = ['alice', 'ALICE', 'Alice', 'alice\u200b']
  let answers: { kind: string; reason?: string }[] = []
  const bound = await bindsDuring(async () => {
    answers = await Promise.all(
      Array.from({ length: 100 }, (_, nth) => verify(spellings[nth % 4] ?? '', `guess ${nth}`)),
    )
  })
  const tried = answers.filter(({ reason }) => reason === 'wrong-credentials').length
  t.equal(tried, 4)
  t.equal(answers.filter(({ reason }) => reason === 'throttled').length, 96, 'all others are told to wait')
  t.equal(bound, 1, 'other spellings bind nobody where case counts')
})

t.test('with ignoreCase, too, strangers bind an entry four times at most', async t => {
  const ignoring = directoryOf(slapd, {}, { ignoreCase: true })
  const { verify, accounts } = await realmsOf(t, { at: ignoring, ignoreCase: true })
  const bound = await bindsDuring(async () => {
    for (const spelling of ['alice', 'ALICE', 'aLICE', 'ALiCE', 'Alice', 'alicE']) await verify(spelling, 'wrong')
  })
  t.equal(bound, 4)
  t.equal(accounts.find('alice'), undefined, 'a refusal makes no account')
  const another = await realmsOf(t, { at: ignoring, ignoreCase: true })
  t.match(await another.verify('ALICE', alice.password), { kind: 'proven', principal: { name: 'alice' } })
})

t.test('an entry of two names is bound no more often than one of one', async t => {
  const two = await startSlapd(t)
  const { dn } = two.people.alice
  await two.modify(`dn: ${dn}\nchangetype: modify\nadd: uid\nuid: ali\nuid: lissy\n`)
  const { verify } = await realmsOf(t, { at: directoryOf(two), provider: 'directory' })
  for (const name of ['ali', 'lissy', 'alice'])
    for (const guess of ['one', 'two', 'three']) t.match(await verify(name, guess), { reason: 'wrong-credentials' })
  t.equal(two.operations().bindDns.filter(bound => bound === dn).length, 4)
  const answer = await verify('alice', two.people.alice.password)
  t.match(answer, { reason: 'wrong-credentials', detail: /not asked: 4 binds/ })
})

t.test('five requests with Basic bind the person once', async t => {
  const { passwords, standing } = await realmsOf(t, { at })
  const byBasic = createBasicCheck({ passwords, standing, clock: movedClock() })
  const header = ['authorization', `Basic ${Buffer.from(`alice:${alice.password}`).toString('base64')}`] as const
  const bound = await bindsDuring(async () => {
    for (let request = 0; request < 5; request++) t.match(await byBasic([header], from), { kind: 'proven' })
  })
  t.equal(bound, 1)
})

t.test('Basic forgets an account that is locked, changed or removed, however its name was typed', async t => {
  const { passwords, local, standing, accounts } = await realmsOf(t, {
    ...{ ignoreCase: true, at: directoryOf(slapd, {}, { ignoreCase: true }) },
  })
  const byBasic = createBasicCheck({ passwords, standing, clock: movedClock() })
  const ask = (password = 'local admin', name = 'Admin') =>
    byBasic([['authorization', `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`]], from)
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

  t.match(await ask(alice.password, 'ALICE'), { kind: 'proven' })
  accounts.update('alice', { locked: true })
  t.match(await ask(alice.password, 'ALICE'), { kind: 'refused' })
})

t.test('an unknown name costs the directory the same steps as a wrong password', async t => {
  const { verify, accounts } = await realmsOf(t, { at })
  await verify('alice', alice.password)
  await verify('Bob (Ext) *', special.password)
  accounts.update('Bob (Ext) *', { locked: true })
  const stepsOf = async (name: string) => {
    const before = slapd.operations()
    await verify(name, 'wrong')
    const { binds, searches } = slapd.operations()
    return { binds: binds - before.binds, searches: searches - before.searches }
  }
  const wrong = await stepsOf('alice')
  t.equal(wrong.searches, 1)
  t.same(await stepsOf('nobody'), wrong)
  t.same(await stepsOf('Bob (Ext) *'), wrong)
})

t.test('a hundred at once get in, for one name and for a hundred names', async t => {
  const names = Array.from({ length: 100 }, (_, nth) => `p${nth}`)
  const crowd = await startSlapd(t, {
    people: Object.fromEntries(names.map(uid => [uid, { uid, password: `${uid} pass-word` }])),
    groups: { crowd: names },
  })
  const { verify } = await realmsOf(t, { at: directoryOf(crowd), provider: 'directory' })
  const answers = await Promise.all(names.map((name, nth) => verify(name, `${name} pass-word`, `10.0.0.${nth}`)))
  t.equal(answers.filter(({ kind }) => kind === 'proven').length, 100)

  const seven = crowd.people['p7']
  const same = await bindsDuring(
    async () => {
      const answers = await Promise.all(names.map(() => verify('p7', 'p7 pass-word')))
      t.equal(answers.filter(({ kind }) => kind === 'proven').length, 100)
    },
    seven,
    crowd,
  )
  t.equal(same, 1, 'which is one verification')
  const elsewhere = await bindsDuring(
    async () => {
      const answers = await Promise.all(names.map((_, nth) => verify('p7', 'p7 pass-word', `10.0.1.${nth}`)))
      t.equal(answers.filter(({ kind }) => kind === 'proven').length, 100)
    },
    seven,
    crowd,
  )
  t.equal(elsewhere, 1, 'from wherever')
  const guesses = await Promise.all(names.map((_, nth) => verify('p8', 'p7 pass-word', `10.0.2.${nth}`)))
  t.ok(guesses.every(answer => answer.kind === 'refused' && answer.reason === 'wrong-credentials'))
  t.match(await verify('p8', 'p8 pass-word', '10.0.3.1'), { kind: 'proven' }, 'one wrong password is one failure')
})

t.test('an address that is throttled hears no answer that was found for another', async t => {
  const { verify } = await realmsOf(t, { at, limits: { address: { failures: 2, within: 60_000 } } })
  const guesser = '192.0.2.1'
  for (const name of ['x', 'y']) await verify(name, 'wrong', guesser)
  const [honest, listening] = await Promise.all([
    verify('alice', alice.password, '10.0.0.7'),
    verify('alice', alice.password, guesser),
  ])
  t.match(honest, { kind: 'proven' })
  t.match(listening, { kind: 'refused', reason: 'throttled' })
  const [first, second] = await Promise.all([
    verify('alice', 'guess', '10.0.0.8'),
    verify('alice', 'guess', '192.0.2.2'),
  ])
  t.match([first, second], [{ reason: 'wrong-credentials' }, { reason: 'wrong-credentials' }])
  await verify('z', 'wrong', '192.0.2.2')
  t.match(await verify('alice', alice.password, '192.0.2.2'), { reason: 'throttled' }, 'it was counted for both')
})

t.test('many names tried from one address at once are stopped near its limit', async t => {
  const { verify } = await realmsOf(t, {
    at,
    provider: 'directory',
    limits: { address: { failures: 10, within: 60_000 } },
  })
  const answers = await Promise.all(Array.from({ length: 200 }, (_, nth) => verify(`person${nth}`, 'Spring2026')))
  const tried = answers.filter(answer => answer.kind === 'refused' && answer.reason === 'wrong-credentials').length
  t.ok(tried >= 10 && tried < 10 + 16, `${tried} were tried`)
})

t.test('the directory is asked sixteen things at once, and a flood is refused as such', async t => {
  let [running, most] = [0, 0]
  const never = { checkPassword: () => t.fail(), groupsOf: () => t.fail() } as unknown as Directory // safe: nobody is found
  const slow: Directory = {
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
  const { verify } = await realmsOf(t, { at: slow, local })
  const answers = await Promise.allSettled(
    Array.from({ length: 300 }, (_, nth) => verify(`person${nth}`, 'x', `10.0.0.${nth % 250}`)),
  )
  t.equal(most, 16)
  const refused = answers.filter(({ status }) => status === 'rejected')
  t.equal(refused.length, 300 - 16 - 256)
  t.match(refused[0], { reason: { code: 'overloaded' } })
})

t.test('where she came in before, alice gets in while strangers fill the queue and have used up her tries', async t => {
  let release = () => {}
  const gate = new Promise<void>(resolve => {
    release = resolve
  })
  const stuck: Directory = {
    ...at,
    find: async name => (name.startsWith('person') ? await gate.then(() => at.find(name)) : await at.find(name)),
  }
  const { verify } = await realmsOf(t, { at: stuck, provider: 'directory' })
  t.match(await verify('alice', alice.password, '10.0.0.7'), { kind: 'proven' })
  for (let nth = 0; nth < 4; nth++) await verify('alice', `guess ${nth}`, `192.0.2.${nth}`)
  const flood = Promise.allSettled(
    Array.from({ length: 300 }, (_, nth) => verify(`person${nth}`, 'x', `192.0.2.${nth}`)),
  )
  t.match(await verify('alice', alice.password, '192.0.2.99'), { reason: 'throttled' })
  t.match(await verify('alice', 'a slip', '10.0.0.7'), { reason: 'wrong-credentials' })
  t.match(await verify('alice', alice.password, '10.0.0.7'), { kind: 'proven' })
  release()
  await flood
})

t.test('guessing tells nobody who comes in here, and a guess that is kept from strangers opens nothing', async t => {
  const { verify } = await realmsOf(t, { at })
  const own = '10.0.0.7'
  t.match(await verify('alice', alice.password, own), { kind: 'proven' })
  t.match(await verify('admin', 'local admin', own), { kind: 'proven' })
  const told = async (name: string, guess: (nth: number) => string) => {
    const answers = []
    for (let nth = 0; nth < 6; nth++) {
      // From two addresses at once, which is one guess.
      const both = await Promise.all([0, 1].map(of => verify(name, guess(nth), `192.0.2.${2 * nth + of}`)))
      answers.push(both.map(answer => answer.kind === 'refused' && answer.reason).join(' '))
    }
    return answers
  }
  const nobody = await told('nobody', nth => `guess ${nth}`)
  t.same(nobody.slice(2, 5), [
    'wrong-credentials wrong-credentials',
    'wrong-credentials throttled',
    'throttled throttled',
  ])
  t.same(await told('alice', nth => (nth < 2 ? `guess ${nth}` : alice.password)), nobody)
  t.same(await told('admin', nth => (nth < 2 ? `guess ${nth}` : 'local admin')), nobody)
  t.match(await verify('alice', alice.password, own), { kind: 'proven' })
  t.match(await verify('admin', 'local admin', own), { kind: 'proven' })
})
