import t from 'tap'
import type { Entry } from '../../src/ldap/entry.ts'
import { formatFilter } from '../../src/ldap/filter.ts'
import { createNestedGroups } from '../../src/ldap/nested-groups.ts'
import type { PersonEntry } from '../../src/ldap/person.ts'
import type { SearchRequest } from '../../src/ldap/servers.ts'

const entry = (dn: string): Entry => ({ dn, attributes: new Map(), bytes: new Map() })
const plan = {
  base: 'dc=lab',
  groupFilter: { kind: 'present', attribute: 'objectClass' },
  groupNameAttribute: 'cn',
} as const

/** A directory of which only the questions are seen. */
function nestedOn(answer: (text: string) => readonly Entry[]) {
  const asked: string[] = []
  const search = async ({ filter }: SearchRequest) => {
    asked.push(formatFilter(filter))
    return [...answer(asked.at(-1) ?? '')]
  }
  return { asked, nested: createNestedGroups({ plan, servers: { search } }) }
}

t.test('a primary group that is not in sight is looked for again the next time', async t => {
  // S-1-5-21-1-1105; the cast is safe: nobody but the directory makes people, and only these parts are looked at.
  const sid = Buffer.from('010300000000000515000000010000005104 0000'.replaceAll(' ', ''), 'hex')
  const person = {
    ...entry('cn=alice,dc=lab'),
    attributes: new Map([['primarygroupid', ['513']]]),
    bytes: new Map([['objectsid', [sid]]]),
  } as unknown as PersonEntry
  let isThere = false
  const { nested, asked } = nestedOn(text =>
    isThere && text.startsWith('(objectSid=') ? [entry('cn=all,dc=lab')] : [],
  )
  await nested.above(person, 'chain', [])
  t.notMatch(asked.at(-1), /cn=all,dc=lab/)
  isThere = true
  await nested.above(person, 'chain', [])
  t.match(asked.at(-1), /member:1\.2\.840\.113556\.1\.4\.1941:=cn=all,dc=lab/, 'and those above it are asked for')
  const before = asked.length
  await nested.above(person, 'chain', [])
  t.equal(asked.length, before + 1, 'its name is known then')
})

t.test('groups whose names cannot be taken apart are not taken for one another', async t => {
  // The cast is safe: nobody but the directory makes people, and only the DN is looked at.
  const person = entry('cn=alice,dc=lab') as unknown as PersonEntry
  const above: Readonly<Record<string, string>> = {
    'cn=direct': 'cn=one"',
    'cn=one"': 'cn=two"',
    'cn=two"': 'cn=three"',
  }
  const { nested } = nestedOn(text =>
    Object.entries(above).flatMap(([member, group]) => (text.includes(`(member=${member})`) ? [entry(group)] : [])),
  )
  const found = await nested.above(person, 'walk', ['cn=direct'])
  t.same(
    found.map(({ dn }) => dn),
    ['cn=one"', 'cn=two"', 'cn=three"'],
  )
})
