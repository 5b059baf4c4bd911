import t from 'tap'
import { randomPassword } from '../../src/issuer/random-password.ts'

t.test('a password has more than 100 bits and nothing that looks like something else', async t => {
  const many = Array.from({ length: 2000 }, randomPassword)
  for (const password of many.slice(0, 50)) t.match(password, /^([2-9a-hjkmnp-z]{4}-){5}[2-9a-hjkmnp-z]{4}$/)
  t.equal(new Set(many).size, many.length)

  const counts = new Map<string, number>()
  for (const character of many.join('').replaceAll('-', '')) counts.set(character, (counts.get(character) ?? 0) + 1)
  t.notMatch([...counts.keys()].join(''), /[01oil]/)
  t.ok(24 * Math.log2(counts.size) > 100, `${counts.size} characters in use`)
  // 48 000 draws: each of 31 characters comes some 1548 times, give or take 39; 8 times that is no chance.
  for (const [character, count] of counts) t.ok(Math.abs(count - 48_000 / 31) < 310, `${character}: ${count}`)
})
