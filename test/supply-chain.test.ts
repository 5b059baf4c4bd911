/**
 * What is installed with the package is known by name, and answered for in DEPENDENCIES.md.
 *
 * Only files are read. Source: package-lock.json(5), package.json(5).
 */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { z } from 'zod'

const names = z.record(z.string(), z.string()).default({})
const entrySchema = z.object({
  version: z.string(),
  license: z.string().optional(),
  integrity: z.string().optional(),
  resolved: z.string().optional(),
  link: z.boolean().default(false),
  dev: z.boolean().default(false),
  optional: z.boolean().default(false),
  hasInstallScript: z.boolean().default(false),
  dependencies: names,
  devDependencies: names,
  optionalDependencies: names,
  peerDependencies: names,
})
const read = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'))
const lock = z
  .object({ lockfileVersion: z.number(), packages: z.record(z.string(), entrySchema) })
  .parse(read('package-lock.json'))
const ours = z
  .object({ dependencies: names, devDependencies: names, allowScripts: z.record(z.string(), z.boolean()) })
  .parse(read('package.json'))

const { '': root, ...packages } = lock.packages
const folder = 'node_modules/'
const installed = Object.entries(packages).map(([path, entry]) => ({
  path,
  name: path.slice(path.lastIndexOf(folder) + folder.length),
  ...entry,
}))
type Installed = (typeof installed)[number]
const shipped = installed.filter(({ dev }) => !dev)
const forDevelopment = installed.filter(({ dev }) => dev)
const namesOf = (list: readonly Installed[]) => [...new Set(list.map(({ name }) => name))].toSorted()
const labels = (list: readonly Installed[]) => list.map(({ path, version }) => `${path} ${version}`)

const document = readFileSync('DEPENDENCIES.md', 'utf8')

interface Row {
  readonly names: readonly string[]
  readonly cells: readonly string[]
  readonly answer: string
}

/** The table under a heading: what stands in backticks in its first column are names. */
function rowsUnder(heading: string): readonly Row[] {
  const section = document.split(/^(?=##)/m).find(text => text.startsWith(`${heading}\n`)) ?? ''
  return section
    .split('\n')
    .filter(line => line.startsWith('| `'))
    .map(line => {
      const cells = line.split('|').slice(1, -1)
      const found = [...(cells[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
      return { names: found, cells: cells.map(cell => cell.trim()), answer: cells.at(-1) ?? '' }
    })
}

const shippedRows = rowsUnder('## Installed with the package')
const askedForRows = rowsUnder('### Asked for by us')
const broughtInRows = rowsUnder('### Brought in by those')
const named = (rows: readonly Row[]) => rows.flatMap(row => row.names).toSorted()

type Version = readonly [number, number, number]
const versionPattern = /^(\d+)\.(\d+)\.(\d+)$/
function toVersion(text: string): Version | undefined {
  const [, major, minor, patch] = versionPattern.exec(text) ?? []
  return patch === undefined ? undefined : [Number(major), Number(minor), Number(patch)]
}
const order = (a: Version, b: Version) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]

/** @param mended  one for each line of versions: a version of a line that is not named has to be newer than all of them */
function isMended(text: string, mended: readonly Version[]): boolean {
  const version = toVersion(text)
  if (version === undefined) return false
  const line = mended.filter(([major]) => major === version[0])
  return (line.length > 0 ? line : mended).every(least => order(version, least) >= 0)
}

/** `^1.2.3` or `1.2.3`; every other way to write a range is refused. */
function satisfies(text: string, range: string): boolean {
  const least = toVersion(range.replace(/^\^/, ''))
  const version = toVersion(text)
  if (least === undefined || version === undefined) return false
  if (!range.startsWith('^')) return order(version, least) === 0
  // What comes first and is not 0 stays as it is, and what stands before it.
  const fixed = least.findIndex(part => part > 0)
  return fixed >= 0 && order(version, least) >= 0 && least.slice(0, fixed + 1).every((part, at) => version[at] === part)
}

t.test('every package that is installed with ours has one row, and no other has', async t => {
  t.same(named(shippedRows), namesOf(shipped))
})

t.test(
  'every package that we ask for in development has one row, and what is said of others is of installed ones',
  async t => {
    t.same(named(askedForRows), Object.keys(ours.devDependencies).toSorted())
    const known = new Set(namesOf(forDevelopment))
    const others = named(broughtInRows)
    t.same(
      others.filter((name, at) => !known.has(name) || others[at + 1] === name),
      [],
    )
  },
)

t.test('the licence in the row is the licence of the package, and one that asks for little', async t => {
  const permissive = ['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0', '0BSD']
  const strange = shipped.filter(({ license = 'none' }) => !permissive.includes(license))
  t.same(labels(strange), [])
  const licences = new Map(shippedRows.flatMap(row => row.names.map(name => [name, row.cells[2]] as const)))
  t.same(labels(shipped.filter(({ name, license }) => licences.get(name) !== license)), [])
})

t.test('where an advisory is said to be mended, no older version is locked', async t => {
  let claims = 0
  const hold = (rows: readonly Row[], among: readonly Installed[]) => {
    for (const { names, answer } of rows) {
      for (const [claim, list = ''] of answer.matchAll(/mended in((?:(?: and|,)? \d+\.\d+\.\d+)*)/g)) {
        claims += 1
        const mended = [...list.matchAll(/\d+\.\d+\.\d+/g)].flatMap(([text]) => {
          const version = toVersion(text)
          return version === undefined ? [] : [version]
        })
        t.ok(
          names.length === 1 && mended.length > 0,
          `${names.join()}: "${claim}" is said of one package, with a version`,
        )
        const older = among.filter(({ name, version }) => name === names[0] && !isMended(version, mended))
        t.same(labels(older), [], `${names.join()}: ${claim}`)
      }
    }
  }
  hold(shippedRows, shipped)
  hold([...askedForRows, ...broughtInRows], forDevelopment)
  t.ok(claims > 30, 'as many as there are were found')
})

t.test('the lock file says what package.json says, and each package is held by its hash', async t => {
  t.equal(lock.lockfileVersion, 3)
  t.same(root?.dependencies, ours.dependencies)
  t.same(root?.devDependencies, ours.devDependencies)
  // The linter's programs for other systems: npm takes no hash of what it did not fetch.
  const otherSystems = /^node_modules\/@biomejs\/cli-[a-z0-9-]+$/
  const unheld = installed.filter(
    ({ path, integrity, dev, optional }) =>
      !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? '') &&
      !(integrity === undefined && dev && optional && otherSystems.test(path)),
  )
  t.same(labels(unheld), [])
})

t.test('everything comes from the registry', async t => {
  // .npmrc leaves out the address of a registry; that of anything else npm would write down.
  t.same(labels(installed.filter(({ resolved, link }) => resolved !== undefined || link)), [])
  const elsewhere = Object.entries(lock.packages).flatMap(([path, entry]) =>
    Object.entries({
      ...entry.dependencies,
      ...entry.devDependencies,
      ...entry.optionalDependencies,
      ...entry.peerDependencies,
    })
      .filter(([, range]) => /[:/]/.test(range))
      .map(([name, range]) => `${path}: ${name} ${range}`),
  )
  t.same(elsewhere, [])
})

t.test('only what is allowed by name runs a script when it is installed, and nothing of what is shipped', async t => {
  const scripted = installed.filter(({ hasInstallScript }) => hasInstallScript)
  const allowed = Object.keys(ours.allowScripts).filter(name => ours.allowScripts[name])
  t.same(namesOf(scripted), allowed.toSorted())
  t.same(labels(scripted.filter(({ dev }) => !dev)), [])
})

t.test('the locked version is one that package.json asks for, by ^ or exactly', async t => {
  for (const [name, range] of Object.entries({ ...ours.dependencies, ...ours.devDependencies })) {
    const version = packages[`${folder}${name}`]?.version ?? 'none'
    t.ok(satisfies(version, range), `${name} ${range}: ${version}`)
  }
})
