// The table in README.md against the files: each row of the threat catalogue stands there once, shown by tests that exist,
// or told as open or as nothing that can happen here, with the reason. A row without a test is only a promise.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const families = { T: 21, H: 18, S: 8, P: 6, L: 11, D: 17, F: 14 }
const idOf = (family: string, number: number) => `${family}${String(number).padStart(2, '0')}`
const catalogue = Object.entries(families).flatMap(([family, last]) =>
  Array.from({ length: last }, (_, before) => idOf(family, before + 1)),
)

const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8')

interface Row {
  readonly ids: readonly string[]
  readonly text: string
}

/** The rows of the table under a heading; none if there is no such heading. */
function rowsUnder(heading: string): Row[] {
  const [, after = ''] = readme.split(new RegExp(`^#+ ${heading}$`, 'm'))
  const [section = ''] = after.split(/^#/m)
  return [...section.matchAll(/^\| *([A-Z]\d\d[^|]*?) *\| *(.*?) *\|$/gm)].map(([, ids = '', text = '']) => ({
    ids: ids.split(/, */),
    text,
  }))
}

/** The tests that a row links to; what stands beside the links is talk. */
const testsOf = ({ text }: Row): string[] =>
  [...text.matchAll(/\]\(([^)]+\.test\.ts)\)/g)].map(([, target = '']) => target)

const shown = rowsUnder('Rows of the threat catalogue')
const open = rowsUnder('Not shown yet')
const impossible = rowsUnder('Cannot apply')

t.test('every row of the catalogue stands here exactly once, and no other', async t => {
  t.same([...shown, ...open, ...impossible].flatMap(({ ids }) => ids).toSorted(), catalogue.toSorted())
})

t.test('every row links to tests that exist', async t => {
  for (const row of shown) {
    const tests = testsOf(row)
    t.ok(tests.length > 0, `${row.ids.join()} links to a test`)
    for (const test of tests) t.ok(existsSync(join(import.meta.dirname, test)), `${row.ids.join()}: ${test}`)
  }
})

t.test('what is not shown is told one by one, with what is missing or why it cannot happen', async t => {
  for (const { ids, text } of [...open, ...impossible]) {
    t.equal(ids.length, 1, `${ids.join()} has a line of its own`)
    t.match(text, /\w+ \w+ \w+/, `${ids.join()} says why`)
  }
})
