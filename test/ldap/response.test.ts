import t from 'tap'
import { nextPage, readResponse, wireEntry } from '../../src/ldap/response.ts'
import * as wire from '../fixture/ldap-wire.ts'
import { startScriptedDirectory } from '../fixture/scripted-directory.ts'
import { serversOn } from './servers-lab.ts'

const result = (bytes: Buffer) => {
  const response = readResponse(bytes)
  if (response === undefined || !('result' in response)) throw new Error('no result')
  return response.result
}

t.test("a directory's own words are kept to a thousand letters, as they go into logs", async t => {
  const text = `80090308: data 52e${'x'.repeat(1_000_000)}`
  t.equal(result(wire.bindResponse(2, { code: 49, text })).message, text.slice(0, 1_000))
})

t.test('what stands beside a bind is told of a success and of a refusal', async t => {
  const beside = [
    wire.passwordPolicy({ graceLeft: 2 }),
    wire.control('1.2.3'),
    wire.control('1.2.4', Buffer.of(1), true),
  ]
  let code = 0
  const directory = await startScriptedDirectory(t, ({ id, operation }) =>
    operation === 'bind' ? wire.bindResponse(id, { code, text: 'data 773', controls: beside }) : undefined,
  )
  const servers = serversOn(t, [directory.url])
  const controls = [
    { oid: wire.passwordPolicyOid, value: Buffer.from('3005a003810102', 'hex') },
    { oid: '1.2.3', value: Buffer.alloc(0) },
    { oid: '1.2.4', value: Buffer.of(1) },
  ]
  t.same(await servers.bind('uid=a,dc=x', 'right'), { right: true, controls })
  code = 49
  t.same(await servers.bind('uid=a,dc=x', 'right'), {
    ...{ right: false, code: 49, message: 'data 773', controls },
    why: '49 invalidCredentials (data 773: password must be changed)',
  })
  t.match(directory.requests, [{ controls: [wire.passwordPolicyOid] }], 'it was asked for')
})

t.test('a referral of a result and controls behind it are both read', async t => {
  t.match(
    result(wire.searchDone(7, { code: 10, referral: ['ldap://a', 'ldap://b'], controls: [wire.control('1.2')] })),
    {
      ...{ code: 10, referral: ['ldap://a', 'ldap://b'], controls: [{ oid: '1.2' }] },
    },
  )
  t.equal(result(wire.searchDone(7)).referral, undefined)
})

t.test('the next page has a name, the last has none, and a broken name is an error', async t => {
  const page = (control: Buffer) => nextPage(result(wire.searchDone(7, { controls: [control] })))
  t.same(page(wire.pagedResults('next')), Buffer.from('next'))
  t.equal(page(wire.pagedResults('')), undefined)
  t.equal(nextPage(result(wire.searchDone(7))), undefined)
  for (const value of ['', '3000', '3003020100', '300702010004007878', '30050201000400ff'])
    t.throws(() => page(wire.control(wire.pagedResultsOid, Buffer.from(value, 'hex'))), /broken page control/, value)
})

t.test('values are text where all of them are, and bytes where that was asked for, however it is spelt', async t => {
  const entry = readResponse(
    wire.searchEntry(7, 'cn=a', { cn: ['ü'], objectGUID: ['text'], odd: ['x', Buffer.of(0xff)], __proto__x: [] }),
  )
  if (entry?.kind !== 'entry') throw new Error('no entry')
  t.same(wireEntry(entry, new Set(['objectguid'])), {
    ...{ dn: 'cn=a', cn: ['ü'], objectGUID: [Buffer.from('text')], odd: [Buffer.from('x'), Buffer.of(0xff)] },
    __proto__x: [],
  })
})
