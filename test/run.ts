/**
 * Runs the test suite with tap and closes with the one line that counts: `N passed, N failed, N skipped`.
 *
 * A skip is shown by name; with REQUIRE_REAL=1 it is a failure. Arguments are files or folders; none: all but test/long.
 */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const long = process.argv[2] === '--long'
const named = process.argv
  .slice(long ? 3 : 2)
  .flatMap(path => (path.endsWith('.test.ts') ? path : globSync(`${path}/**/*.test.ts`)))
const files =
  named.length > 0
    ? named
    : globSync(long ? 'test/long/**/*.test.ts' : 'test/**/*.test.ts', {
        exclude: long ? [] : ['test/long/**'],
      }).toSorted()

// One more than there are processors: a third of the time a test waits.
const tap = spawn(
  'tap',
  ['--reporter=tap', `--jobs=${availableParallelism() + 1}`, ...(long ? ['--timeout=1800'] : []), ...files],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
    // Hundreds of processes read the same sources: compiled once, each starts in half the time.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, '../node_modules/.cache/compiled'), ...process.env },
  },
)
let passed = 0
const failures: string[] = []
const skips: string[] = []
let file = ''
let diagnostic = false
for await (const line of createInterface({ input: tap.stdout })) {
  const subtest = /^# Subtest: (\S+)/.exec(line)
  if (subtest !== null) file = subtest[1] ?? ''
  const point = /^( *)(not )?ok \d+(?: - (.*))?$/.exec(line)
  if (point !== null) {
    const [, indent = '', not, text = ''] = point
    const [title = '', directive] = text.split(/ # (?=skip|time|todo)/i)
    diagnostic = not !== undefined
    // A line at the left margin sums up a file; what counts are the points inside.
    const sums = indent === '' || / # time=|\{$/.test(line)
    if (/^skip/i.test(directive ?? '')) skips.push(`${file}: ${title} (${(directive ?? '').slice(5)})`)
    else if (not !== undefined) failures.push(`${file}: ${title}`)
    else if (!sums) passed++
    if (indent === '')
      process.stdout.write(
        `${not === undefined ? 'ok    ' : 'FAILED'} ${title} ${/time=(\S+)/.exec(line)?.[1] ?? ''}\n`,
      )
  }
  if (diagnostic) process.stdout.write(`  | ${line}\n`)
  if (/^ *\.\.\. *$/.test(line)) diagnostic = false
}
const [code] = await new Promise<[number | null]>(resolve =>
  tap.exitCode === null ? tap.once('close', c => resolve([c])) : resolve([tap.exitCode]),
)

const strict = process.env['REQUIRE_REAL'] === '1'
for (const skip of skips) console.log(`skipped ${skip}`)
for (const failure of failures) console.log(`failed ${failure}`)
const failed = failures.length + (strict ? skips.length : 0) + (code !== 0 && failures.length === 0 ? 1 : 0)
if (passed === 0) console.log('no test ran')
console.log(
  `${passed} passed, ${passed === 0 ? failed + 1 : failed} failed${skips.length === 0 ? '' : `, ${skips.length} skipped`}`,
)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
