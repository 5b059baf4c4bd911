/**
 * Our client reads answers itself. Here it is held to Node's: by answers that were holes somewhere, and by those that chance
 * makes, in one piece and in many. Hundreds of thousands of them: test/long.
 */
import t from 'tap'
import { randomOf } from '../attack/differential/random.ts'
import { compare, fuzzAnswers, knownStricter } from './differential/compare.ts'
import { knownResponses } from './differential/known-responses.ts'
import { readByUs } from './differential/our-reading.ts'

const inPieces = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size))

t.test(
  'each known answer is taken or refused as it should be, wherever it is cut, and never more laxly than by Node',
  async t => {
    for (const [title, { text, method = 'GET', gives, kept = false }] of Object.entries(knownResponses)) {
      const bytes = Buffer.from(text, 'latin1')
      for (const pieces of [[bytes], inPieces(bytes, 1), inPieces(bytes, 7)]) {
        const at = `${title}, in ${pieces.length} pieces`
        // What comes behind an answer comes when it is over, byte by byte.
        const reading = await readByUs({ pieces, method })
        if (typeof gives === 'string') t.match(reading.refused ?? 'taken', gives, at)
        else {
          t.equal(reading.refused, undefined, at)
          t.same([reading.status, reading.body.toString('latin1'), reading.kept], [...gives, kept], at)
        }
      }
      for (const pieces of [[bytes], inPieces(bytes, 7)]) {
        const { laxer, stricter } = await compare({ pieces, method })
        t.equal(laxer, undefined, title)
        if (stricter !== undefined) t.ok(knownStricter.test(stricter), `${title}: ${stricter}`)
      }
    }
  },
)

t.test(
  'thousands that chance makes: whatever Node refuses is refused, and the rest is the same to the last byte',
  async t => {
    const tally = await fuzzAnswers(20_261_128, 0, 3_000)
    t.same(tally.laxer, [])
    t.same(tally.unread, [], 'what is well said is taken')
    t.same(
      [...tally.stricter.keys()].filter(why => !knownStricter.test(why)),
      [],
      'stricter only in ways that are known',
    )
    t.ok(tally.taken > 1_000 && tally.refused > 1_000, `${tally.taken} taken by both, ${tally.refused} refused by both`)
  },
)

t.test('the same seed gives the same answers', async t => t.equal(randomOf(1, 2).below(1e9), randomOf(1, 2).below(1e9)))
