import t from 'tap'
import { openDirectory } from '../../src/ldap/directory.ts'
import type { Entry } from '../../src/ldap/entry.ts'
import { allValues } from '../../src/ldap/ranged-values.ts'
import type { SearchRequest } from '../../src/ldap/servers.ts'
import { ranged, searchDone, searchEntry } from '../fixture/ldap-wire.ts'
import { startScriptedDirectory } from '../fixture/scripted-directory.ts'
import { settingsOf } from './settings.ts'

const entry = (attributes: Record<string, string[]>): Entry => ({
  dn: 'cn=alice,dc=lab',
  attributes: new Map(Object.entries(attributes)),
  bytes: new Map(),
})
const values = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => `cn=g${from + at}`)

/** A directory of which only the questions for more are seen. */
function directory(answers: readonly (Entry | undefined)[]) {
  const asked: SearchRequest[] = []
  return {
    asked,
    async search(request: SearchRequest) {
      const answer = answers[asked.push(request) - 1]
      return answer === undefined ? [] : [answer]
    },
  }
}

t.test('D13: an attribute in pieces is asked for until its last', async t => {
  const servers = directory([
    entry({ 'memberof;range=1500-2999': values(1500, 2999) }),
    entry({ 'memberof;range=3000-*': values(3000, 3010) }),
  ])
  const all = await allValues(entry({ memberof: [], 'memberof;range=0-1499': values(0, 1499) }), 'memberOf', servers)
  t.equal(all.length, 3011)
  t.equal(new Set(all).size, 3011)
  t.same(
    servers.asked.map(({ attributes, base, scope }) => ({ attributes, base, scope })),
    [1500, 3000].map(at => ({ attributes: [`memberOf;range=${at}-*`], base: 'cn=alice,dc=lab', scope: 'base' })),
  )
})

t.test('whole values and none at all are not asked for again', async t => {
  const servers = directory([])
  t.same(await allValues(entry({ memberof: ['a'] }), 'memberOf', servers), ['a'])
  t.same(await allValues(entry({}), 'memberOf', servers), [])
  t.same(servers.asked, [])
})

t.test('pieces of two servers that order them otherwise are not one list', async t => {
  const first = entry({ 'memberof;range=0-2': values(0, 2) })
  const ofAnother = entry({ 'memberof;range=3-*': values(0, 2).toReversed() })
  await t.rejects(allValues(first, 'memberOf', directory([ofAnother])), { code: 'directory-unavailable' })
})

t.test('a directory that breaks off in the middle is a fault, not a shorter list', async t => {
  const first = entry({ 'memberof;range=0-1': values(0, 1) })
  for (const next of [
    undefined,
    entry({}),
    entry({ 'memberof;range=0-1': values(0, 1) }),
    entry({ 'memberof;range=2-3': [] }),
  ])
    await t.rejects(allValues(first, 'memberOf', directory([next])), { code: 'directory-unavailable' })
})

t.test('one that goes on for ever is a fault', async t => {
  let at = 1
  const servers = { search: async () => [entry({ [`memberof;range=${at}-${at}`]: [`cn=g${at++}`] })] }
  await t.rejects(allValues(entry({ 'memberof;range=0-0': ['cn=g0'] }), 'memberOf', servers), {
    code: 'directory-unavailable',
  })
})

t.test('D13: the same from end to end, with a directory that gives 1,500 at once', async t => {
  const dns = Array.from({ length: 3_600 }, (_, at) => `cn=g${at},dc=lab`)
  const scripted = await startScriptedDirectory(t, request => {
    if (request.operation !== 'search') return undefined
    const [, from = '0'] = /;range=(\d+)-/.exec(request.attributes.join(' ')) ?? []
    const start = Number(from)
    const piece = ranged('memberOf', start, dns.slice(start, start + 1_500), start + 1_500 >= dns.length)
    const whole = { uid: ['alice'], ...piece }
    return Buffer.concat([searchEntry(request.id, 'uid=alice,dc=lab', whole), searchDone(request.id)])
  })
  await using directory = openDirectory(
    settingsOf({
      urls: scripted.url,
      base: 'dc=lab',
      userMapping: 'omeName=uid',
      newUserGroup: ':dn_attribute:memberOf',
    }),
  )
  const found = await directory.find('alice')
  if (found.kind !== 'found') throw new Error(found.why)
  const groups = await directory.groupsOf(found.entry)
  t.equal(groups.kind === 'groups' && groups.groups.length, 3_600)
  t.same(
    scripted.requests.flatMap(request => (request.operation === 'search' ? [request.attributes.length] : [])).slice(1),
    [1, 1],
    'each piece is one question for one attribute',
  )
})
