// What is kept of texts from outside is the same as worked out anew, and never more than its size.
import t from 'tap'
import { memo } from '../../src/kernel/memo.ts'

t.test('each text is worked out once, also where nothing comes of it, until the table is full', async t => {
  const asked: string[] = []
  const read = memo(
    text => {
      asked.push(text)
      return text.startsWith('n') ? undefined : { text }
    },
    8,
    3,
  )
  for (const text of ['a', 'nothing', 'a', 'nothing', 'constructor', '__proto__'])
    t.same(read(text), text === 'nothing' ? undefined : { text }, text)
  t.same(asked, ['a', 'nothing', 'constructor', '__proto__'])
  t.equal(read('b'), read('b'), 'the very same')
  read('constructor')
  t.equal(asked.at(-1), 'constructor', 'what is long is worked out each time')
  const before = asked.length
  for (let at = 0; at < 100; at++) read(`${at % 4}`)
  t.ok(asked.length - before > 20, 'it begins anew when it is full, and holds three')
})
