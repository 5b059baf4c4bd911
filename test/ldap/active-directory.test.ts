import t from 'tap'
import { fileTime, guidText, primaryGroupFilter } from '../../src/ldap/active-directory.ts'
import { formatFilter } from '../../src/ldap/filter.ts'

t.test('an objectGUID is written as Windows writes it', async t => {
  t.equal(guidText(Buffer.from('3a2c0e8f45abcd12a1b2c3d4e5f60718', 'hex')), '8f0e2c3a-ab45-12cd-a1b2-c3d4e5f60718')
  t.equal(guidText(Buffer.alloc(15)), undefined)
})

t.test('times count from 1601', async t => {
  t.equal(fileTime('116444736000000000'), 0)
  t.equal(fileTime('0'), undefined)
  t.equal(fileTime('9223372036854775807'), undefined)
  t.equal(fileTime('-1'), undefined)
})

const person = (sid: string, primaryGroupID: string) => ({
  attributes: new Map([['primarygroupid', [primaryGroupID]]]),
  bytes: new Map([['objectsid', [Buffer.from(sid, 'hex')]]]),
})
/** S-1-5-21-1-2-3-1104 */
const sid = '010500000000000515000000010000000200000003000000' + '50040000'

t.test('the primary group has the SID of the person but for its last number', async t => {
  const filter = primaryGroupFilter(person(sid, '513'))
  t.equal(filter && formatFilter(filter), `(objectSid=${`${sid.slice(0, -8)}01020000`.replace(/../g, '\\$&')})`)
})

t.test('without a whole SID, or with an impossible number, there is none', async t => {
  for (const [bytes, number] of [
    [sid.slice(0, -2), '513'],
    ['', '513'],
    ['0100000000000005', '513'],
    [sid, '4294967296'],
    [sid, '-1'],
    [sid, '513)(cn=*'],
  ] as const)
    t.equal(primaryGroupFilter(person(bytes, number)), undefined)
  t.equal(primaryGroupFilter({ attributes: new Map(), bytes: new Map() }), undefined)
})
