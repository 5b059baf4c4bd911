// What answers a request without a read is of a stated size, and only what there is.
import t from 'tap'
import type { SessionRecord } from '../../src/identity/session-records.ts'
import { createSessionTable } from '../../src/identity/session-table.ts'

const record = (id: string): SessionRecord => ({
  ...{ id, name: 'alice', realm: 'local', groups: new Set<string>(), by: 'password', from: '192.0.2.1' },
  ...{ createdAt: 0, lastUsedAt: 0 },
})

t.test('the one not used for longest makes room, by both of its names', async t => {
  const table = createSessionTable(3)
  for (const id of ['a', 'b', 'c']) table.put(`digest ${id}`, record(id), 1)
  t.ok(table.byDigest('digest a', 1), 'which counts as use')
  table.use('b', 5)
  table.put('digest d', record('d'), 1)
  t.equal(table.byId('c', 1), undefined)
  t.equal(table.byDigest('digest c', 1), undefined)
  for (const id of ['a', 'b', 'd']) t.equal(table.byDigest(`digest ${id}`, 1)?.id, id)
  t.equal(table.byId('b', 1)?.lastUsedAt, 5)
})

t.test('made-up cookies put nobody out', async t => {
  const table = createSessionTable(1)
  table.put('digest a', record('a'), 1)
  for (let nth = 0; nth < 1_000; nth++) t.equal(table.byDigest(`made up ${nth}`, 1), undefined)
  t.equal(table.byDigest('digest a', 1)?.id, 'a')
})

t.test('what was read before somebody else wrote is not known any more', async t => {
  const table = createSessionTable(10)
  table.put('digest a', record('a'), 1)
  t.equal(table.byDigest('digest a', 2), undefined)
  t.equal(table.byId('a', 2), undefined)
  table.put('digest a', record('a'), 2)
  t.equal(table.byDigest('digest a', 2)?.id, 'a')
  table.forget('a')
  t.equal(table.byDigest('digest a', 2), undefined)
})
