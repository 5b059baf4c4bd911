/**
 * What an operator reads when something is wrong: all of it at once, each with path, line and cure, and no secret.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadConfig, parseConfig } from '../../src/config/load.ts'
import { problemText, saidOf } from './written.ts'

/** The lines `#! …` above a line of the file, keyed by its number. */
function expectations(text: string): [line: number, said: string][] {
  const found: [number, string][] = []
  let above: string[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const [, said] = /^ *#! (.*)$/.exec(line) ?? []
    if (said !== undefined) above.push(said)
    else {
      for (const one of above) found.push([index + 1, one])
      above = []
    }
  }
  return found
}

const byLine = (a: readonly [number | undefined, string], b: readonly [number | undefined, string]) =>
  (a[0] ?? 0) - (b[0] ?? 0) || a[1].localeCompare(b[1])

for (const name of ['broken.yaml', 'contradictions.yaml']) {
  t.test(`every problem of ${name} is told at its line, in the words written above it`, async t => {
    const file = join(import.meta.dirname, name)
    const text = readFileSync(file, 'utf8')
    const loaded = loadConfig(file)
    if (loaded.ok) return t.fail('the file was taken')
    const said = loaded.problems.map(problem => [problem.line, problemText(problem)] as const)
    t.same(said.toSorted(byLine), expectations(text).toSorted(byLine))
    t.notMatch(JSON.stringify(loaded.problems), /letmein|user:secret/, 'a secret that was written here is not repeated')
  })
}

t.test('what is no YAML, or not one document, is told as that', async t => {
  const rows: Record<string, RegExp> = {
    'a: [1': /^not valid YAML: .*\]/,
    'a: 1\na: 2': /^not valid YAML: Map keys must be unique/,
    'a: 1\n---\nb: 1': /^not valid YAML: .*multiple documents/,
    'a: *nowhere': /^not valid YAML: .*nowhere/,
    [`a: &a [1]\nb: &b [${'*a,'.repeat(11)}]\nc: &c [${'*b,'.repeat(11)}]\nd: [${'*c,'.repeat(11)}]`]:
      /^not valid YAML: .*alias/,
    '- 1': /^write keys and values here/,
  }
  for (const [yaml, expected] of Object.entries(rows)) {
    const loaded = parseConfig(yaml, '/')
    t.match(
      loaded.ok ? '' : problemText(loaded.problems[0] ?? { path: [], message: '' }),
      expected,
      JSON.stringify(yaml.slice(0, 20)),
    )
  }
})

t.test('names of JavaScript are names like any other', async t => {
  t.same(saidOf('constructor: 1\ntoString: 2'), [
    'constructor: unknown key "constructor"; check its spelling and place',
    'toString: unknown key "toString"; check its spelling and place',
  ])
  t.match(saidOf('routes: [{ path: /, upstream: constructor, access: everyone }]'), [
    /no upstream is called "constructor"/,
  ])
  t.match(saidOf('"__proto__": { state: x }'), [/"__proto__"/])
})

t.test('a file that cannot be read says why', async t => {
  const said = (file: string) => {
    const loaded = loadConfig(file)
    return loaded.ok ? 'taken' : loaded.problems.map(problemText).join()
  }
  t.equal(said(join(import.meta.dirname, 'nowhere.yaml')), 'there is no such file')
  t.equal(said(import.meta.dirname), 'this is a folder, not a file')
})
