// What upstream/an-answer-is-read-as-llhttp-reads-it shows, with half a million answers. FUZZ_SEED=7 goes on from another seed.
import t from 'tap'
import { fuzzAnswers, knownStricter, type Tally } from '../upstream/differential/compare.ts'

t.setTimeout(1_800_000)

const first = Number(process.env['FUZZ_SEED'] ?? 1)
const tallies: Tally[] = []

for (const seed of [0, 1, 2, 3, 4].map(more => first + more)) {
  t.test(`seed ${seed}: whatever Node refuses is refused, and the rest is the same to the last byte`, async t => {
    t.setTimeout(1_800_000)
    const tally = await fuzzAnswers(seed, 0, 100_000)
    tallies.push(tally)
    t.same(tally.laxer, [])
    t.same(tally.unread, [], 'what is well said is taken')
    t.same(
      [...tally.stricter.keys()].filter(why => !knownStricter.test(why)),
      [],
      'stricter only in ways that are known',
    )
  })
}

t.test('the counts', async () => {
  for (const { answers, taken, refused, stricter } of tallies) {
    console.error(`${answers} answers, ${taken} taken by both, ${refused} refused by both`)
    for (const [why, count] of stricter) console.error(`  ${count} ${why}`)
  }
})
