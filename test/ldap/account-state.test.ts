import t from 'tap'
import { closedReason, generalizedTime, lockedReason } from '../../src/ldap/account-state.ts'

const now = Date.parse('2026-11-28T12:00:00Z')
const entry = (attributes: Record<string, string>) => ({
  attributes: new Map(Object.entries(attributes).map(([name, value]) => [name.toLowerCase(), [value]])),
})
const closed = (attributes: Record<string, string>) => closedReason(entry(attributes), now)
const locked = (attributes: Record<string, string>) => lockedReason(entry(attributes))
/** 100 ns since 1601. */
const fileTime = (date: string) => String((BigInt(Date.parse(date)) + 11_644_473_600_000n) * 10_000n)

t.test('an entry that says nothing is open', async t => {
  t.equal(closed({}), undefined)
  t.equal(locked({}), undefined)
})

t.test('userAccountControl: the bit counts, and what cannot be read is closed', async t => {
  t.equal(closed({ userAccountControl: '512' }), undefined)
  t.match(closed({ userAccountControl: '514' }), /disabled/)
  t.match(closed({ userAccountControl: '66050' }), /disabled/, 'with other bits')
  t.equal(closed({ userAccountControl: '-2147483136' }), undefined, 'a signed number')
  t.match(closed({ userAccountControl: 'x' }), /cannot be read/)
  t.match(closed({ userAccountControl: '' }), /cannot be read/)
})

t.test('accountExpires: 0 and the greatest number are never', async t => {
  t.equal(closed({ accountExpires: '0' }), undefined)
  t.equal(closed({ accountExpires: '9223372036854775807' }), undefined)
  t.match(closed({ accountExpires: fileTime('2026-11-28T11:59:59Z') }), /expired on 2026-11-28T11:59:59/)
  t.equal(closed({ accountExpires: fileTime('2026-11-28T12:00:01Z') }), undefined)
  t.match(closed({ accountExpires: 'tomorrow' }), /cannot be read/)
  t.match(closed({ accountExpires: '1' }), /expired on 1601/)
})

t.test('the others: nsAccountLock, pwdStartTime, pwdEndTime', async t => {
  t.match(closed({ nsAccountLock: 'TRUE' }), /disabled/)
  t.equal(closed({ nsAccountLock: 'FALSE' }), undefined)
  t.match(closed({ pwdEndTime: '20261128110000Z' }), /not usable/)
  t.equal(closed({ pwdEndTime: '20261128130000Z' }), undefined)
  t.match(closed({ pwdStartTime: '20261129000000Z' }), /not usable/)
  t.match(closed({ pwdEndTime: 'soon' }), /cannot be read/)
})

t.test('locked by failed tries', async t => {
  t.match(locked({ 'msDS-User-Account-Control-Computed': '16' }), /locked/)
  t.equal(locked({ 'msDS-User-Account-Control-Computed': '8388608' }), undefined, 'an expired password is no lock')
  t.match(locked({ userAccountControl: '528' }), /locked/)
  t.match(locked({ pwdAccountLockedTime: '20261128100000Z' }), /locked since/)
  t.match(
    closed({ pwdAccountLockedTime: '000001010000Z' }),
    /for good/,
    'one that an administrator has made does not pass',
  )
  t.equal(closed({ pwdAccountLockedTime: '20261128100000Z' }), undefined, 'a lock may pass by itself')
})

t.test('times of the directory, with and without minutes, fractions and zones', async t => {
  t.equal(generalizedTime('20261128120000Z'), now)
  t.equal(generalizedTime('2026112812Z'), now)
  t.equal(generalizedTime('202611281300+0100'), now)
  t.equal(generalizedTime('20261128120000.5Z'), now + 500)
  for (const odd of ['', '20261128', '20261128120000', '20261340000000Z', 'Z', '20261128120000Z\n'])
    t.equal(generalizedTime(odd), undefined, JSON.stringify(odd))
})
