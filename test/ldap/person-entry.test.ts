import t from 'tap'
import type { Entry } from '../../src/ldap/entry.ts'
import { personEntry } from '../../src/ldap/person-entry.ts'

const idOf = (attributes: Readonly<Record<string, string[]>>) => {
  const entry: Entry = { dn: 'cn=a', attributes: new Map(Object.entries(attributes)), bytes: new Map() }
  return personEntry(entry, 'a', { plan: { nameAttribute: 'cn', userMapping: new Map() }, ignoreCase: false, now: 0 })
    .id
}

t.test('an empty identifier is none: else all who have it would be one person', async t => {
  t.equal(idOf({ entryuuid: [''] }), undefined)
  t.equal(idOf({ entryuuid: [' '], nsuniqueid: ['ab-CD'] }), 'nsUniqueId:ab-cd')
  t.equal(idOf({ nsuniqueid: [''] }), undefined)
  t.equal(idOf({ entryuuid: ['AB'] }), 'entryUUID:ab')
})
