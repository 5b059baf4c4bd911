// What was issued and what of it was taken back, in the real SQLite file that sessions stand in too.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { openSessionStore } from '../../src/identity/session-store.ts'
import { takeOverIssued } from '../../src/issuer/issued.ts'
import type { IssuedRecord } from '../../src/issuer/issued-entry.ts'
import { type FileLedger, ledgerFile, openLedger } from '../../src/issuer/ledger.ts'
import { systemClock } from '../../src/kernel/clock.ts'

// Zeros in front are part of a fingerprint, and are none of a serial.
const ours = `00${'A'.repeat(62)}`
const theirs = 'B'.repeat(64)
const day = 86_400_000
const now = new Date('2026-11-22T12:00:00.000Z')
const inTime = (days: number) => new Date(now.getTime() + days * day)
const inDays = (days: number) => inTime(days).toISOString()
const alice = '4F0A38E85AA986616142DEE95F02FE8C'

const recordOf = (serial: string, name = 'alice', more: Partial<IssuedRecord> = {}): IssuedRecord => ({
  serial,
  subject: `CN=${name}`,
  name,
  kind: 'client',
  notAfter: inDays(300),
  sha256: `${serial}:FF`,
  when: inDays(-1),
  ...more,
})

function start(t: Pick<Test, 'testdir' | 'teardown'>) {
  const file = join(t.testdir(), ledgerFile)
  const open = (): FileLedger => {
    const ledger = openLedger(file)
    t.teardown(() => ledger[Symbol.dispose]())
    return ledger
  }
  return { file, open, ledger: open() }
}

t.test('it lists what was recorded, oldest first, and the same record once more adds nothing', async t => {
  const { ledger, open } = start(t)
  const [late, early] = [recordOf('02', 'bob'), recordOf('01', 'alice', { kind: 'server', when: inDays(-9) })]
  for (const record of [late, early, late, early]) ledger.record({ ...record, authority: ours })
  const expected = [
    { ...early, serial: '1', authority: ours },
    { ...late, serial: '2', authority: ours },
  ]
  t.same(ledger.list(), expected)
  t.same(open().list(), expected, 'and another process reads the same')
})

t.test('one serial never stands for two certificates of an authority; two authorities may use the same', async t => {
  const { ledger } = start(t)
  ledger.record({ ...recordOf(alice), authority: ours })
  t.throws(() => ledger.record({ ...recordOf(alice, 'mallory', { sha256: '00' }), authority: ours }), {
    code: 'state-unavailable',
  })
  ledger.record({ ...recordOf(alice, 'mallory', { sha256: '00' }), authority: theirs })
  t.same(
    ledger.list().map(({ name }) => name),
    ['alice', 'mallory'],
  )
})

t.test('it lives in the file of the sessions, which is for the account of the gateway only', async t => {
  const { file, ledger } = start(t)
  using sessions = openSessionStore({ file, idle: day, absolute: day, clock: systemClock })
  ledger.record({ ...recordOf(alice), authority: ours })
  t.equal(sessions.closeAllOf('alice', 'local'), 0, 'the sessions work beside it')
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.equal(statSync(`${file}-wal`).mode & 0o777, 0o600)
})

const spellings: Readonly<Record<string, string>> = {
  'as openssl prints it': alice,
  'in lower case': alice.toLowerCase(),
  'with colons, as browsers show it': alice.replace(/..(?=.)/g, '$&:'),
  'in lower case with colons': alice.toLowerCase().replace(/..(?=.)/g, '$&:'),
  'with blanks': alice.replace(/..(?=.)/g, '$& '),
  'with the word in front': `serial=${alice}`,
  'with 0x in front': `0x${alice.toLowerCase()}`,
  'with zeros in front': `00:${alice}`,
}
for (const [how, spelling] of Object.entries(spellings)) {
  t.test(`a serial revokes its certificate: ${how}`, async t => {
    const { ledger } = start(t)
    for (const serial of [alice, '77']) ledger.record({ ...recordOf(serial), authority: ours })
    const revoked = ledger.revoke(spelling, { at: now, reason: 'keyCompromise' })
    t.match(revoked, [{ serial: alice, revokedAt: now.toISOString(), reason: 'keyCompromise' }])
    t.same(ledger.revoked(ours, alice), { at: now, reason: 'keyCompromise' })
    t.same(ledger.revoked(ours.toLowerCase(), spellings['in lower case with colons'] ?? ''), {
      at: now,
      reason: 'keyCompromise',
    })
    t.equal(ledger.revoked(ours, '77'), undefined, 'and no other')
    t.equal(ledger.revoked(theirs, alice), undefined, 'nor that serial of another authority')
  })
}

t.test('a name revokes the one certificate of that name that is good', async t => {
  const { ledger } = start(t)
  ledger.record({ ...recordOf('01', 'alice', { notAfter: inDays(-1) }), authority: ours })
  ledger.record({ ...recordOf('02'), authority: ours })
  ledger.record({ ...recordOf('03', 'Alice'), authority: ours })
  t.match(ledger.revoke('alice', { at: now }), [{ serial: '2', reason: 'unspecified' }])
  t.same(
    ledger.list().map(({ revokedAt }) => revokedAt !== undefined),
    [false, true, false],
    'an expired one and one of another spelling are left alone',
  )
})

t.test("all good client certificates of a person are taken back in one step, and nobody else's", async t => {
  const { ledger, open } = start(t)
  for (const serial of ['A1', 'A2']) ledger.record({ ...recordOf(serial), authority: ours })
  ledger.record({ ...recordOf('A3'), authority: theirs })
  ledger.record({ ...recordOf('B1', 'Alice'), authority: ours })
  ledger.record({ ...recordOf('B2', 'alice2'), authority: ours })
  ledger.record({ ...recordOf('C1', 'alice', { kind: 'server' }), authority: ours })
  ledger.record({ ...recordOf('C2', 'alice', { notAfter: inDays(-1) }), authority: ours })
  ledger.record({ ...recordOf('C3'), authority: ours })
  ledger.revoke('C3', { at: inTime(-5), reason: 'keyCompromise' })
  const gateway = open()
  const taken = ledger.revokeAllOf('alice', { at: now, reason: 'cessationOfOperation' })
  t.same(
    taken.map(({ serial, revokedAt, reason }) => [serial, revokedAt, reason]),
    ['A1', 'A2', 'A3'].map(serial => [serial, now.toISOString(), 'cessationOfOperation']),
  )
  const state = Object.fromEntries(ledger.list().map(({ serial, reason }) => [serial, reason]))
  t.same(state, {
    ...{ A1: 'cessationOfOperation', A2: 'cessationOfOperation', A3: 'cessationOfOperation' },
    ...{ B1: undefined, B2: undefined, C1: undefined, C2: undefined, C3: 'keyCompromise' },
  })
  t.match(ledger.revoked(theirs, 'A3'), { reason: 'cessationOfOperation' })
  t.equal(gateway.poll(), true, 'and a running gateway hears of it')
  t.same(ledger.revokeAllOf('alice', { at: now }), [], 'once')
  t.same(ledger.revokeAllOf('nobody', { at: now }), [])
})

t.test('what cannot be taken back is refused by what is the matter with it', async t => {
  const { ledger } = start(t)
  for (const serial of ['A1', 'A2']) ledger.record({ ...recordOf(serial, 'twice'), authority: ours })
  ledger.record({ ...recordOf('B1', 'over', { notAfter: inDays(-1) }), authority: ours })
  ledger.record({ ...recordOf('C1', 'gone'), authority: ours })
  ledger.revoke('gone', { at: now })
  ledger.record({ ...recordOf('D1', 'elsewhere'), authority: theirs })
  const revoke = (which: string) => () => ledger.revoke(which, { at: now, authority: ours })
  t.throws(revoke('twice'), {
    code: 'revoke-ambiguous',
    message: /2 certificates of the name "twice" are good:\n {2}A1 .*\n {2}A2 /,
  })
  t.throws(revoke('over'), { code: 'issued-expired', message: /"over" is expired: there is nothing to take back/ })
  t.throws(revoke('gone'), { code: 'revoked-already', message: /"gone" is revoked already, on 2026-11-22 12:00 UTC/ })
  t.throws(revoke('C1'), { code: 'revoked-already' }, 'by its serial as well')
  t.throws(revoke('nobody'), { code: 'issued-unknown', message: '"nobody"' })
  t.throws(revoke(''), { code: 'issued-unknown' })
  t.throws(revoke('elsewhere'), { code: 'issued-unknown' }, 'another authority was named')
  t.same(
    ledger
      .list()
      .filter(({ revokedAt }) => revokedAt !== undefined)
      .map(({ serial }) => serial),
    ['C1'],
    'and nothing was changed by any of it',
  )
  t.match(revoke('a2')(), [{ serial: 'A2' }], 'one of the two, by its serial')
  t.match(revoke('twice')(), [{ serial: 'A1' }], 'then the name says it for certain')
  t.match(revoke('b1')(), [{ serial: 'B1' }], 'an expired one by its serial, for the list')
})

t.test('a running gateway learns what a command revoked, by asking, and only then', async t => {
  const { ledger: gateway, open } = start(t)
  const command = open()
  command.record({ ...recordOf(alice), authority: ours })
  t.equal(gateway.poll(), false, 'what was issued changes nothing about what is revoked')
  t.equal(gateway.list().length, 1)
  command.revoke('alice', { at: now, reason: 'superseded' })
  t.equal(gateway.revoked(ours, alice), undefined, 'from memory: no connection waits for the disk')
  t.equal(gateway.poll(), true)
  t.same(gateway.revoked(ours, alice), { at: now, reason: 'superseded' })
  t.equal(gateway.poll(), false)
})

t.test('a command in another process is heard as well', async t => {
  const { ledger, file } = start(t)
  ledger.record({ ...recordOf(alice), authority: ours })
  const program = `
    import { openLedger } from ${JSON.stringify(join(process.cwd(), 'src/issuer/ledger.ts'))}
    using ledger = openLedger(${JSON.stringify(file)})
    ledger.revoke('alice', { at: new Date() })`
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  })
  t.equal(status, 0, stderr)
  t.equal(ledger.poll(), true)
  t.match(ledger.revoked(ours, alice), { reason: 'unspecified' })
})

t.test('while somebody else writes, asking does not wait, and what is known goes on to count', async t => {
  const { ledger, file } = start(t)
  for (const serial of ['01', '02']) ledger.record({ ...recordOf(serial, `holder ${serial}`), authority: ours })
  ledger.revoke('01', { at: now })
  using other = new DatabaseSync(file)
  other.exec("begin immediate; update issued set revoked_at = '2026-11-22T00:00:00.000Z' where serial = '2'")
  const begun = Date.now()
  t.equal(ledger.poll(), false)
  t.ok(Date.now() - begun < 500, 'at once')
  t.match(ledger.revoked(ours, '01'), { reason: 'unspecified' })
  t.throws(() => ledger.revoke('02', { at: now }), { code: 'state-unavailable' }, 'a write is given up, and said so')
  other.exec('commit')
  t.equal(ledger.poll(), true)
  t.match(ledger.revoked(ours, '02'), { reason: 'unspecified' })
})

t.test('a database that breaks is a fault, and whoever was put out stays out', async t => {
  const { ledger, file } = start(t)
  ledger.record({ ...recordOf(alice), authority: ours })
  ledger.revoke('alice', { at: now })
  using other = new DatabaseSync(file)
  other.exec('drop table issued')
  t.throws(() => ledger.poll(), { code: 'state-unavailable' })
  t.throws(() => ledger.list(), { code: 'state-unavailable' })
  t.match(ledger.revoked(ours, alice), { reason: 'unspecified' })
})

t.test('a reason that nobody knows is still a revocation', async t => {
  const { ledger, file } = start(t)
  ledger.record({ ...recordOf(alice), authority: ours })
  using other = new DatabaseSync(file)
  other.exec("update issued set revoked_at = '2026-11-22T00:00:00.000Z', reason = 'of a later release'")
  t.equal(ledger.poll(), true)
  t.match(ledger.revoked(ours, alice), { reason: 'unspecified' })
})

t.test('where no database can be made it is said', async t => {
  t.throws(() => openLedger(join(t.testdir(), 'missing', ledgerFile)), {
    code: 'state-unavailable',
    cause: { code: 'ENOENT' },
  })
  t.throws(
    () =>
      openLedger(
        join(t.testdir({ [ledgerFile]: 'this is no database, and long enough to be seen as none' }), ledgerFile),
      ),
    {
      code: 'state-unavailable',
    },
  )
})

t.test('the numbers of revocation lists grow, for each authority by itself', async t => {
  const { ledger, open } = start(t)
  const other = open()
  t.same(
    [ledger, other, ledger].map(one => one.nextListNumber(ours)),
    [1, 2, 3],
  )
  t.equal(other.nextListNumber(theirs), 1)
  t.equal(ledger.nextListNumber(ours.toLowerCase()), 4)
})

t.test('the list of an earlier release is taken over once, and kept', async t => {
  const { ledger, file } = start(t)
  const dir = join(file, '..')
  const old = join(dir, 'issued.jsonl')
  const lines = [recordOf('0A'), recordOf('0B', 'bob')].map(record => `${JSON.stringify(record)}\n`).join('')
  // A crash cut the last line short: its certificate never left the house.
  writeFileSync(old, `${lines}{"serial":"AB`)
  t.same(await takeOverIssued(dir, ours, ledger), { file: old, lines: 2, kept: `${old}.taken-over` })
  t.same(
    ledger.list().map(({ serial, name, authority }) => [serial, name, authority]),
    [
      ['A', 'alice', ours],
      ['B', 'bob', ours],
    ],
  )
  t.notOk(existsSync(old))
  t.match(readFileSync(`${old}.taken-over`, 'utf8'), lines, 'nothing is lost')
  t.equal(await takeOverIssued(dir, ours, ledger), undefined)

  ledger.revoke('alice', { at: now })
  writeFileSync(old, lines)
  t.match(
    await takeOverIssued(dir, ours, ledger),
    { kept: `${old}.taken-over-2` },
    'an older release went on beside this one',
  )
  t.equal(ledger.list().length, 2, 'the same line twice adds nothing')
  t.ok(ledger.revoked(ours, '0A'), 'and what is revoked stays so')
})

t.test('a line of that list that nobody can read is an alarm, not a gap', async t => {
  const { ledger, file } = start(t)
  const dir = join(file, '..')
  writeFileSync(join(dir, 'issued.jsonl'), `${JSON.stringify(recordOf('0A'))}\n{"serial":1}\n`)
  await t.rejects(takeOverIssued(dir, ours, ledger), { code: 'ledger-unreadable', message: 'issued.jsonl:2' })
  t.same(ledger.list(), [])
  t.ok(existsSync(join(dir, 'issued.jsonl')))
})
