// How soon a certificate ends: said at 30, 7 and 1 day, once each, and louder the nearer it comes.
import t from 'tap'
import { createExpiryWatch, expiryNotice } from '../../src/tls/expiry.ts'

const day = 86_400_000
const end = new Date('2027-01-31T12:00:00Z')
const certificate = {
  validToDate: end,
  validTo: 'Jan 31 12:00:00 2027 GMT',
  fingerprint256: 'AB',
  subject: 'CN=a\nO=b',
}
const at = (days: number) => end.getTime() - days * day

t.test('a certificate is spoken of from 30 days on', async t => {
  for (const [days, within, level, said] of [
    [400, undefined, undefined, ''],
    [30, undefined, undefined, ''],
    [29.9, 30, 'warn', 'in 29 days'],
    [7.1, 30, 'warn', 'in 7 days'],
    [6.9, 7, 'error', 'in 6 days'],
    [1.1, 7, 'error', 'in 1 day'],
    [0.9, 1, 'error', 'within a day'],
    [0, 0, 'error', 'expired on'],
    [-400, 0, 'error', 'expired on'],
  ] as const) {
    const notice = expiryNotice(certificate, at(days))
    t.match(notice ?? {}, within === undefined ? {} : { within, level, message: new RegExp(said) }, `${days} days`)
    t.equal(notice === undefined, within === undefined)
  }
})

t.test('the watch tells of each span once, and of every certificate for itself', async t => {
  const told: { level: string; what: unknown; subject: unknown }[] = []
  let now = at(40)
  const watch = createExpiryWatch(
    (level, facts) => told.push({ level, ...facts } as (typeof told)[number]),
    () => now,
  ) // the facts hold both
  const look = () =>
    watch.look([
      ['web', certificate],
      ['dicom', certificate],
    ] as never) // four of its properties are read
  for (const days of [40, 29, 20, 8, 6, 2, 0.5, 0.1, -1, -2]) {
    now = at(days)
    look()
  }
  t.equal(told.length, 8)
  t.same(
    told.map(({ level }) => level),
    ['warn', 'warn', 'error', 'error', 'error', 'error', 'error', 'error'],
  )
  t.equal(told[0]?.subject, 'CN=a, O=b')
})
