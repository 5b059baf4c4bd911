/**
 * Each exchange has an id of its own, and all of it is random but what a version 4 UUID fixes.
 */
import t from 'tap'
import { exchangeId } from '../../src/listener/exchange-id.ts'

t.test('ids are version 4 UUIDs, and no two are the same', async t => {
  const ids = Array.from({ length: 5_000 }, exchangeId)
  for (const id of ids)
    if (!/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)) t.fail(id)
  t.equal(new Set(ids).size, ids.length)
})

t.test('each digit takes every value', async t => {
  const seen = Array.from({ length: 36 }, () => new Set<string>())
  for (let count = 0; count < 2_000; count++)
    for (const [at, digit] of [...exchangeId()].entries()) seen[at]?.add(digit)
  t.same(
    seen.map(values => values.size),
    [...'xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx'].map(kind => (kind === 'x' ? 16 : kind === 'y' ? 4 : 1)),
  )
})
