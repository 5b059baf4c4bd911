/**
 * Which list counts for a certificate, and what a missing, ended or broken one means. T09 of the threats, row by row.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createFileWatch } from '../../src/tls/file-watch.ts'
import { resignedDer } from '../fixture/odd-der.ts'
import { requireReal } from '../fixture/real.ts'
import { derOf, listPem, revocationLabTools, startRevocationLab } from './revocation-lab.ts'
import { opened, until } from './revocation-opened.ts'

const day = 86_400_000
const noList = { unknown: 'no-list' }
const stale = { unknown: 'stale' }
const taken = { reason: 'keyCompromise' }

t.test('lists from files', async t => {
  if (!requireReal(t, revocationLabTools)) return
  const lab = startRevocationLab(t)
  const staff = lab.authority('Staff')
  const nodes = lab.authority('Nodes')
  const alice = staff.issue('0A11CE')
  const mallory = staff.issue('0BAD')
  const revoked = { '0BAD': 'keyCompromise' }
  let files = 0
  const put = (content: string | Uint8Array) => lab.put(`list-${++files}.pem`, content)

  await t.test('let in whom they do not name, and refuse whom they name', async t => {
    for (const bytes of [staff.list({ revoked }), derOf(staff.list({ revoked }))]) {
      const { revocation, now } = opened(t, [{ file: put(bytes) }])
      t.equal(revocation.check(alice, staff.certificate, now()), 'good')
      t.same(revocation.check(mallory, staff.certificate, now()), {
        revoked: new Date('2026-01-02T03:04:05Z'),
        ...taken,
      })
    }
  })

  await t.test('know a serial by its value, however long, low or negative', async t => {
    for (const serial of ['01', '7F', '80', 'FF00', '0102030405060708090A0B0C0D0E0F1011121314', '-05', '-80']) {
      const holder = staff.issue(serial)
      const bytes = staff.list({ revoked: { [serial]: 'superseded' } })
      const { revocation, now } = opened(t, [{ file: put(bytes) }])
      t.match(revocation.check(holder, staff.certificate, now()), { reason: 'superseded' }, serial)
      t.equal(revocation.check(alice, staff.certificate, now()), 'good')
    }
    const { revocation, now } = opened(t, [{ file: put(staff.list({ revoked: { FF: 'superseded' } })) }])
    t.equal(revocation.check(staff.issue('-01'), staff.certificate, now()), 'good', '-1 is not 255')
  })

  await t.test('on hold is revoked, and let go from hold is not', async t => {
    const bytes = staff.list({ revoked: { '0BAD': 'certificateHold', '0A11CE': 'removeFromCRL' } })
    const { revocation, now } = opened(t, [{ file: put(bytes) }])
    t.match(revocation.check(mallory, staff.certificate, now()), { reason: 'certificateHold' })
    t.equal(revocation.check(alice, staff.certificate, now()), 'good')
  })

  await t.test('T09 expired: nobody is known to be good, and who is named stays refused', async t => {
    const { revocation, said, now } = opened(t, [{ file: put(staff.list({ revoked, from: -9, until: -2 })) }])
    t.equal(revocation.whenStale, 'refuse')
    t.same(revocation.check(alice, staff.certificate, now()), stale)
    t.match(revocation.check(mallory, staff.certificate, now()), taken)
    t.same(said.slice(-1), ['error: a revocation list is out of date and no newer one has come'])
    t.match(revocation.state(), [{ problem: 'it is out of date' }])
  })

  await t.test('T09 expiring while at work: the answer changes at that moment, the alarm came before', async t => {
    const { revocation, said, changes, move, now } = opened(t, [
      { file: put(staff.list({ revoked, from: -1, until: 7 })) },
    ])
    const alarms = () => said.filter(line => !line.startsWith('info'))
    t.equal(revocation.check(alice, staff.certificate, now()), 'good')
    move(4.9 * day)
    revocation.reread()
    t.same(alarms(), [], 'more than a quarter of its life is left')
    move(0.2 * day)
    revocation.reread()
    revocation.reread()
    t.same(alarms(), ['warn: a revocation list ends soon and no newer one has come'], 'once')
    t.equal(changes(), 0)
    t.equal(revocation.check(alice, staff.certificate, now()), 'good')
    move(2 * day)
    t.same(revocation.check(alice, staff.certificate, now()), stale, 'before anyone has looked')
    revocation.reread()
    revocation.reread()
    t.same(alarms().slice(1), ['error: a revocation list is out of date and no newer one has come'], 'once')
    t.equal(changes(), 1, 'open connections are to be asked about')
  })

  await t.test('T09 dated in the future: does not count yet, and the one before it does', async t => {
    const later = staff.list({ number: 2, from: 1, until: 8 })
    const alone = opened(t, [{ file: put(later) }])
    t.same(alone.revocation.check(alice, staff.certificate, alone.now()), stale)
    t.match(alone.said, ['info: a revocation list has come', /^error: .* is dated in the future/])
    alone.move(1.1 * day)
    alone.revocation.reread()
    t.equal(alone.revocation.check(alice, staff.certificate, alone.now()), 'good')
    t.equal(alone.changes(), 1)

    const both = opened(t, [{ file: put(staff.list({ number: 1, revoked })) }, { file: put(later) }])
    t.match(both.revocation.check(mallory, staff.certificate, both.now()), taken)
    t.equal(both.revocation.check(alice, staff.certificate, both.now()), 'good')
    both.move(1.1 * day)
    t.equal(both.revocation.check(mallory, staff.certificate, both.now()), 'good', 'the newer one is in force now')

    const file = put(staff.list({ number: 1, revoked }))
    const replaced = opened(t, [{ file }])
    t.match(replaced.revocation.check(mallory, staff.certificate, replaced.now()), taken)
    writeFileSync(file, later)
    replaced.revocation.reread()
    t.match(replaced.revocation.check(mallory, staff.certificate, replaced.now()), taken, 'overwritten too early')
    t.equal(replaced.revocation.check(alice, staff.certificate, replaced.now()), 'good')
    const fast = opened(t, [{ file: put(staff.list({ from: 2 / 1440, until: 7 })) }])
    t.equal(fast.revocation.check(alice, staff.certificate, fast.now()), 'good', 'a clock that is two minutes ahead')
  })

  await t.test('T09 unreadable or garbage at the start: nobody is known to be good', async t => {
    const { revocation, said, now } = opened(t, [{ file: join(lab.dir, 'none.pem') }, { file: put('garbage') }])
    t.same(revocation.check(alice, staff.certificate, now()), noList)
    t.match(said, [/^warn: .*\(there is no file .*none\.pem\)$/, /^warn: .*\(it is neither PEM nor DER\)$/])
    t.match(revocation.state(), [
      { issuer: undefined, thisUpdate: undefined, entries: 0, problem: /^there is no file/ },
      { problem: 'it is neither PEM nor DER' },
    ])
  })

  await t.test(
    'T09 unreadable, garbage, half or empty later on: the list before it stays, and that is said',
    async t => {
      const whole = staff.list({ number: 1, revoked })
      const file = put(whole)
      const { revocation, said, changes, now } = opened(t, [{ file }])
      const rows: [() => void, RegExp][] = [
        [() => writeFileSync(file, 'garbage'), /neither PEM nor DER/],
        [() => writeFileSync(file, whole.slice(0, 300)), /has no end/],
        [() => writeFileSync(file, derOf(whole).subarray(0, 100)), /no revocation list/],
        [() => writeFileSync(file, ''), /is empty/],
        [() => rmSync(file), /there is no file/],
        [() => mkdirSync(file), /is a folder/],
      ]
      for (const [spoil, expected] of rows) {
        spoil()
        revocation.reread()
        revocation.reread()
        t.match(said.at(-1), expected)
        t.match(revocation.check(mallory, staff.certificate, now()), taken)
        t.equal(revocation.check(alice, staff.certificate, now()), 'good')
        t.match(revocation.state(), [{ entries: 1, problem: expected }])
      }
      t.equal(said.length, 1 + rows.length, 'each is told once')
      t.equal(changes(), 0)
      rmSync(file, { recursive: true })
      writeFileSync(file, staff.list({ number: 2, revoked: { ...revoked, '0A11CE': 'superseded' } }))
      revocation.reread()
      t.match(said.slice(-2), ['info: a revocation list is all right again', 'info: a revocation list has come'])
      t.match(revocation.check(alice, staff.certificate, now()), { reason: 'superseded' })
      t.equal(changes(), 1)
    },
  )

  await t.test('T09 for another issuer: says nothing of this one', async t => {
    const { revocation, now } = opened(t, [{ file: put(nodes.list({ revoked })) }])
    t.same(revocation.check(alice, staff.certificate, now()), noList)
    t.same(revocation.check(mallory, staff.certificate, now()), noList)
    t.equal(revocation.check(nodes.issue('01'), nodes.certificate, now()), 'good')
  })

  await t.test(
    'T09 missing for one intermediate, or naming it: the certificates of that step are not good',
    async t => {
      const inner = staff.below('Inner', '1A')
      const holder = inner.issue('77')
      const half = opened(t, [{ file: put(inner.list()) }])
      t.equal(half.revocation.check(holder, inner.certificate, half.now()), 'good')
      t.same(half.revocation.check(inner.certificate, staff.certificate, half.now()), noList)
      const other = opened(t, [{ file: put(staff.list()) }])
      t.same(other.revocation.check(holder, inner.certificate, other.now()), noList)
      const named = opened(t, [{ file: put(inner.list() + staff.list({ revoked: { '1A': 'CACompromise' } })) }])
      t.equal(named.revocation.check(holder, inner.certificate, named.now()), 'good')
      t.match(named.revocation.check(inner.certificate, staff.certificate, named.now()), { reason: 'cACompromise' })
    },
  )

  await t.test('signed by a namesake with another key, or without leave to sign lists, do not count', async t => {
    const namesake = lab.authority('Staff')
    const { revocation, said, now } = opened(t, [{ file: put(namesake.list({ number: 99 })) }])
    t.same(revocation.check(alice, staff.certificate, now()), noList)
    t.same(revocation.check(alice, staff.certificate, now()), noList)
    t.match(
      said.slice(1),
      [/^warn: a revocation list does not count: it bears the name of an authority that did not sign it$/],
      'told once',
    )
    const forbidden = lab.authority('Forbidden', 'keyCertSign')
    const other = opened(t, [{ file: put(forbidden.list()) }])
    t.same(other.revocation.check(forbidden.issue('01'), forbidden.certificate, other.now()), noList)
    t.match(other.said.at(-1), /does not let it sign lists$/)
  })

  await t.test('of a namesake never take the place of the real one, whatever their number', async t => {
    const namesake = lab.authority('Staff')
    const file = put(staff.list({ number: 1, revoked }))
    for (const asked of [true, false]) {
      const { revocation, said, now } = opened(t, [{ file }])
      if (asked) t.match(revocation.check(mallory, staff.certificate, now()), taken)
      for (const number of [50, 51, 52, 53]) {
        writeFileSync(file, namesake.list({ number }))
        revocation.reread()
      }
      // Before anyone was asked about, nobody could say which was real; the last few are kept.
      if (asked) t.match(revocation.check(mallory, staff.certificate, now()), taken)
      else t.same(revocation.check(mallory, staff.certificate, now()), noList, 'closed all the same')
      t.match(said.filter(line => line.includes('did not sign it')).length, asked ? 4 : 3)
      t.ok(revocation.state().length <= 4)
      writeFileSync(file, staff.list({ number: 2, revoked }))
      revocation.reread()
      t.match(revocation.check(mallory, staff.certificate, now()), taken)
      writeFileSync(file, staff.list({ number: 1, revoked }))
    }
  })

  await t.test('of an authority with a new key count beside those of the old key', async t => {
    const renewed = lab.authority('Staff')
    const bytes = staff.list({ number: 9, revoked }) + renewed.list({ number: 3, revoked: { '0C': 'superseded' } })
    const { revocation, said, now } = opened(t, [{ file: put(bytes) }])
    t.match(revocation.check(mallory, staff.certificate, now()), taken)
    t.equal(revocation.check(renewed.issue('0BAD'), renewed.certificate, now()), 'good')
    t.match(revocation.check(renewed.issue('0C'), renewed.certificate, now()), { reason: 'superseded' })
    revocation.reread()
    t.match(revocation.check(mallory, staff.certificate, now()), taken)
    t.equal(said.filter(line => line.startsWith('error')).length, 0)
  })

  await t.test('are never rolled back: of several the newest counts, by number and then by date', async t => {
    const old = staff.list({ number: 4, from: -2 })
    const fresh = staff.list({ number: 5, revoked, from: -1 })
    const rows: [string, string, string][] = [
      ['two files', old, fresh],
      ['the other way round', fresh, old],
    ]
    for (const [name, first, second] of rows) {
      const { revocation, now } = opened(t, [{ file: put(first) }, { file: put(second) }])
      t.match(revocation.check(mallory, staff.certificate, now()), taken, name)
    }
    const unnumbered = opened(t, [
      { file: put(staff.list({ revoked, from: -1 })) },
      { file: put(staff.list({ from: -2 })) },
    ])
    t.match(unnumbered.revocation.check(mallory, staff.certificate, unnumbered.now()), taken, 'by date')

    const file = put(fresh)
    const { revocation, said, now, changes } = opened(t, [{ file }])
    t.match(revocation.check(mallory, staff.certificate, now()), taken)
    writeFileSync(file, old)
    revocation.reread()
    t.match(revocation.check(mallory, staff.certificate, now()), taken)
    t.match(said.at(-1), /\(the list of O=Lab, CN=Staff that it gives is older than the one known before\)$/)
    t.equal(changes(), 0)
    writeFileSync(file, staff.list({ number: 6 }))
    revocation.reread()
    t.equal(revocation.check(mallory, staff.certificate, now()), 'good', 'a newer one may let her in again')
    t.equal(revocation.state().length, 1, 'and the older ones are gone')
  })

  await t.test('of one authority stay when the file holds only those of others', async t => {
    const file = put(staff.list({ number: 1, revoked }) + nodes.list({ number: 1 }))
    const { revocation, now } = opened(t, [{ file }])
    const node = nodes.issue('01')
    t.match(revocation.check(mallory, staff.certificate, now()), taken)
    t.equal(revocation.check(node, nodes.certificate, now()), 'good')
    writeFileSync(file, nodes.list({ number: 2, revoked: { '01': 'keyCompromise' } }))
    revocation.reread()
    t.match(revocation.check(mallory, staff.certificate, now()), taken)
    t.match(revocation.check(node, nodes.certificate, now()), taken)
  })

  await t.test('that do not say when they end are believed for a week', async t => {
    const withoutEnd = (pem: string) =>
      listPem(resignedDer(derOf(pem), text => text.replace(/(\x17\x0d\d{12}Z)\x17\x0d\d{12}Z/, '$1'), staff.keyPem))
    const { revocation, move, now } = opened(t, [{ file: put(withoutEnd(staff.list({ revoked, from: -1 }))) }])
    t.equal(revocation.check(alice, staff.certificate, now()), 'good')
    t.match(revocation.state(), [{ nextUpdate: undefined, entries: 1 }])
    move(6.1 * day)
    t.same(revocation.check(alice, staff.certificate, now()), stale)
    t.match(revocation.check(mallory, staff.certificate, now()), taken)
  })

  await t.test('for a part of the certificates count for that part only', async t => {
    const point = 'URI:http://pki.test/part-1.crl'
    const idp = (lines: string) => `issuingDistributionPoint=critical,@idp\n[idp]\n${lines}`
    const part = (lines: string) => staff.list({ number: 1, revoked, extensions: idp(lines) })
    const inner = staff.below('Inner', '1A')
    const rows: [string, string, boolean, boolean][] = [
      ['onlyuser=TRUE', 'leaves', true, false],
      ['onlyCA=TRUE', 'authorities', false, true],
    ]
    for (const [lines, name, leaf, authority] of rows) {
      const { revocation, now } = opened(t, [{ file: put(part(lines)) }])
      t.same(revocation.check(alice, staff.certificate, now()), leaf ? 'good' : noList, `${name}: a holder`)
      t.same(
        revocation.check(inner.certificate, staff.certificate, now()),
        authority ? 'good' : noList,
        `${name}: a CA`,
      )
    }
    const plain = ['basicConstraints=critical,CA:FALSE']
    const here = staff.issue('31', [...plain, `crlDistributionPoints=${point}`])
    const elsewhere = staff.issue('32', [...plain, 'crlDistributionPoints=URI:http://pki.test/part-2.crl'])
    const { revocation, now } = opened(t, [{ file: put(part(`fullname=${point}`)) }])
    t.equal(revocation.check(here, staff.certificate, now()), 'good')
    t.same(revocation.check(elsewhere, staff.certificate, now()), noList)
    t.same(revocation.check(alice, staff.certificate, now()), noList, 'one that names no distribution point')

    const parts = opened(t, [
      { file: put(part('onlyuser=TRUE')) },
      { file: put(staff.list({ number: 9, revoked: { '1A': 'CACompromise' }, extensions: idp('onlyCA=TRUE') })) },
    ])
    t.match(parts.revocation.check(mallory, staff.certificate, parts.now()), taken, 'parts do not supersede each other')
    t.match(parts.revocation.check(inner.certificate, staff.certificate, parts.now()), { reason: 'cACompromise' })
    const file = put(part('onlyuser=TRUE'))
    const later = opened(t, [{ file }])
    t.match(later.revocation.check(mallory, staff.certificate, later.now()), taken)
    writeFileSync(file, staff.list({ number: 9, extensions: idp('onlyCA=TRUE') }))
    later.revocation.reread()
    t.match(later.revocation.check(mallory, staff.certificate, later.now()), taken, 'nor when the other comes later')
  })

  await t.test('are read again on their own, and when they are asked to', async t => {
    const file = put(staff.list({ number: 1 }))
    const { revocation, changes, now } = opened(t, [{ file }], { refresh: 50 })
    t.equal(revocation.check(mallory, staff.certificate, now()), 'good')
    const next = put(staff.list({ number: 2, revoked }))
    renameSync(next, file)
    await until(
      t,
      () => changes() === 1,
      () => revocation.state(),
    )
    t.match(revocation.check(mallory, staff.certificate, now()), taken)

    writeFileSync(file, staff.list({ number: 3 }))
    await until(
      t,
      () => changes() === 2,
      () => revocation.state(),
    )
    t.equal(revocation.check(mallory, staff.certificate, now()), 'good', 'and again')
    writeFileSync(file, staff.list({ number: 4, revoked }))

    const slow = opened(t, [{ file }])
    writeFileSync(file, staff.list({ number: 5 }))
    t.match(slow.revocation.check(mallory, staff.certificate, slow.now()), taken)
    slow.revocation.reread()
    t.equal(slow.revocation.check(mallory, staff.certificate, slow.now()), 'good')
    slow.revocation[Symbol.dispose]()
  })

  await t.test('say what they are, for metrics and for people', async t => {
    const file = put(staff.list({ number: 5, revoked }) + nodes.list({ number: 1 }))
    const { revocation, said } = opened(t, [{ file }], { whenStale: 'accept' })
    const [first, second] = revocation.state()
    t.match(first, { source: file, issuer: 'O=Lab, CN=Staff', entries: 1 })
    t.match(second, { source: file, issuer: 'O=Lab, CN=Nodes', entries: 0 })
    t.equal(first?.problem, undefined)
    t.ok(first?.nextUpdate !== undefined && first.thisUpdate !== undefined && first.nextUpdate > first.thisUpdate)
    t.equal(revocation.whenStale, 'accept')
    t.same(said, ['info: a revocation list has come', 'info: a revocation list has come'])
    await t.resolves(revocation.ready)
  })

  await t.test('are asked ten thousand times in a moment, even where they name 100,000', async t => {
    const many = Array.from({ length: 100_000 }, (_, at) => [
      (0x4000_0000 + at).toString(16).toUpperCase(),
      'superseded',
    ])
    const bytes = staff.list({ revoked: { ...Object.fromEntries(many), ...revoked } })
    const { revocation, now } = opened(t, [{ file: put(bytes) }])
    revocation.check(alice, staff.certificate, now())
    const from = performance.now()
    for (let at = 0; at < 5_000; at++) {
      revocation.check(alice, staff.certificate, now())
      revocation.check(mallory, staff.certificate, now())
    }
    const took = performance.now() - from
    t.ok(took < 6_000, `${Math.round(took)} ms`)
  })
})

t.test('a file is read again when it is another one, or could not be read', async t => {
  const dir = t.testdir({ list: 'one', next: 'two' })
  const file = join(dir, 'list')
  const watch = createFileWatch(file)
  t.same(watch.read(), { bytes: Buffer.from('one') })
  t.equal(watch.read(), 'unchanged')
  renameSync(join(dir, 'next'), file)
  t.same(watch.read(), { bytes: Buffer.from('two') })
  t.equal(watch.read(), 'unchanged')
  writeFileSync(file, 'six')
  t.same(watch.read(), { bytes: Buffer.from('six') }, 'of the same size')
  rmSync(file)
  t.match(watch.read(), { problem: /^there is no file/ })
  t.match(watch.read(), { problem: /^there is no file/ })
  writeFileSync(file, 'six')
  t.same(watch.read(), { bytes: Buffer.from('six') })
})
