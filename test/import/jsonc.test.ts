// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Orthanc look like that
/**
 * JSON as jsoncpp reads it for Orthanc, variables included; each row can be held against a real Orthanc.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type JsonNode, type JsonRead, readJsonc } from '../../src/import/jsonc.ts'
import { runCommand } from '../fixture/command.ts'
import { orthancTools } from '../fixture/orthanc.ts'
import { requireReal } from '../fixture/real.ts'

const env = { AVAR: 'alpha', EMPTY: '', QUOTE: 'a"b', LINES: 'one\ntwo' }
const read = (text: string): JsonRead => readJsonc('o.json', text, env)
const saidOf = (text: string): string => {
  const got = read(text)
  return got.ok ? 'fine' : `${got.mistake.line}:${got.mistake.column}: ${got.mistake.message}`
}

/** As plain values, for comparing. */
function plain({ value }: JsonNode): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, inner]) => [key, plain(inner)]))
  return Array.isArray(value) ? value.map(plain) : value
}
const nameIn = (text: string): unknown => {
  const got = read(text)
  return got.ok && got.node.value instanceof Map ? got.node.value.get('Name')?.value : undefined
}

/** What stands behind "Name", and what Orthanc makes of it; undefined: it does not start. */
const names: Readonly<Record<string, readonly [written: string, name: string | undefined]>> = {
  'a variable': ['"[${AVAR}]"', '[alpha]'],
  'a variable that is not set': ['"[${NOPE}]"', '[]'],
  'a variable that is set to nothing, and a default': ['"[${EMPTY:-dflt}]"', '[]'],
  'a default': ['"[${NOPE:-dflt}]"', '[dflt]'],
  'a default in single quotes': ['"[${NOPE:-\'d f\'}]"', '[d f]'],
  'a default in double quotes': ['"[${NOPE:-"d f"}]"', '[d f]'],
  'blanks belong to the name of a variable': ['"[${ AVAR }]"', '[]'],
  'no braces, no variable': ['"[$AVAR $${AVAR} ${AVAR:x}]"', '[$AVAR $alpha ${AVAR:x}]'],
  'a variable is text before it is JSON': ['"[${QUOTE}]"', undefined],
  escapes: ['"\\u00e9\\/\\n\\""', 'é/\n"'],
  'no escape': ['"\\x"', undefined],
  'control characters': ['"tab\tline\nx"', 'tab\tline\nx'],
  'comments inside a text are text': ['"c /* no */ // no" /* yes */ // yes\n', 'c /* no */ // no'],
  'a comma too many': ['"last",', 'last'],
  'the last of two': ['"first", "Name": "second"', 'second'],
  'single quotes': ["'single'", undefined],
  'a comment of another kind': ['"hash" # no', undefined],
  'a comment without end': ['"x" /* open', undefined],
  numbers: ['"n", "X": [1e3, -0.5, 01, 2,]', 'n'],
  'a hole in a list': ['"n", "X": [1,,2]', undefined],
}

t.test('a text is read as Orthanc reads it', async t => {
  for (const [title, [written, name]] of Object.entries(names)) t.equal(nameIn(`{ "Name": ${written} }`), name, title)
  t.equal(nameIn('\ufeff{ "Name": "bom" }'), 'bom', 'a byte order mark')
  t.equal(nameIn('{ "Name": "x" } garbage'), 'x', 'what follows the closing brace')
  t.notOk(read('[1]').ok, 'a list is no configuration')
  t.notOk(read('').ok, 'nothing is no configuration')
})

t.test('a real Orthanc reads each row as we do', async t => {
  if (!requireReal(t, orthancTools)) return
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-jsonc-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const file = join(dir, 'orthanc.json')
  for (const [title, [written, name]] of Object.entries(names)) {
    // An index below a device cannot be made: Orthanc says where it would be, which is what it read, and ends.
    const option = written.replaceAll('"Name"', '"IndexDirectory"').replace(/^"|(?<=: )"/g, '"/dev/null/')
    writeFileSync(file, `{ "IndexDirectory": ${option} }`)
    const log = await logOf(file)
    t.equal(/does not follow the JSON syntax/.test(log), name === undefined, title)
    if (name !== undefined) t.match(log, `index directory: "/dev/null/${name.replaceAll('"', '&"')}"`, title)
  }
})

/** What a real Orthanc says until it ends. */
async function logOf(file: string): Promise<string> {
  const { stdout, stderr } = await runCommand([file], { node: '/usr/sbin/Orthanc', file: '--verbose', env })
  return stdout + stderr
}

t.test('what is wrong is named with line and column of the file as it was written', async t => {
  const rows: readonly (readonly [text: string, said: RegExp])[] = [
    ['{\n  "A": 1\n  "B": 2\n}', /^3:3: a comma or \} is missing here$/],
    ['{\n  "A": [1 2]\n}', /^2:11: a comma or \] is missing here$/],
    ['{\n  "A" 1\n}', /^2:7: a colon is missing after "A"$/],
    ['{\n  A: 1\n}', /^2:3: the name of an option, in double quotes, is missing here$/],
    ['{\n  "A": \n}', /^3:1: a value is missing here$/],
    ['{ "A": "${LINES}",\n  "B": ? }', /^2:8: a value is missing here$/],
    ['{ "A": "open }\n', /^1:8: a text that begins here has no closing quote$/],
    ['{ "A": 1 /* open', /^1:10: a comment that begins here has no end$/],
    ['{ "A": "\\q" }', /^1:9: this is no escape in JSON/],
    ['{ "A": ${PORT} }', /^1:16: a value is missing here; the environment variable PORT is not set here$/],
    ['nonsense', /^1:1: a configuration of Orthanc begins with \{$/],
    [`{ "A": ${'['.repeat(5000)}`, /this is nested too deeply$/],
  ]
  for (const [text, said] of rows) t.match(saidOf(text), said, text.slice(0, 40))
})

t.test('every value knows its line, also behind a variable of several lines', async t => {
  const got = read('{ "A": "${LINES}", // x\n  /* y\n */ "B": [\n true ] }')
  t.ok(got.ok)
  if (!got.ok || !(got.node.value instanceof Map)) return
  t.equal(got.node.value.get('A')?.line, 1)
  t.equal(got.node.value.get('B')?.line, 3)
  t.same(plain(got.node), { A: 'one\ntwo', B: [true] })
})

t.test('a text that came whole from a variable says so, and a missing one is named', async t => {
  const got = read('{ "A": "${AVAR}", "B": "x${AVAR}", "C": "${NOPE}", "D": "${NOPE:-d}" }')
  t.ok(got.ok)
  if (!got.ok || !(got.node.value instanceof Map)) return
  const { value } = got.node
  t.match(value.get('A')?.variable, { name: 'AVAR', isSet: true })
  t.equal(value.get('B')?.variable, undefined)
  t.same(value.get('C')?.missing, ['NOPE'])
  t.match(value.get('D'), { variable: { hasDefault: true } })
  t.equal(value.get('D')?.missing, undefined)
})

t.test('a name that means something to JavaScript is a name like any other', async t => {
  const got = read('{ "__proto__": { "polluted": true }, "Name": "x" }')
  t.ok(got.ok)
  t.equal(({} as Record<string, unknown>)['polluted'], undefined) // any object would have it
  t.equal(nameIn('{ "__proto__": 1, "Name": "x" }'), 'x')
})
