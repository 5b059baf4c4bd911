/**
 * The house law: imports lead downwards, files stay small, and every folder's README names exactly what lies there.
 */
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import t from 'tap'
import { parseConfig } from '../src/config/load.ts'
import { configJsonSchema } from '../src/config/schema.ts'

const layers = [
  'cli',
  'demo',
  'workers',
  'gateway.ts',
  'duties.ts',
  'holders.ts',
  'entrances.ts',
  'monitoring.ts',
  'generation.ts',
  'house.ts',
  'state.ts',
  'reload.ts',
  'stations.ts',
  'readiness.ts',
  'pages.ts',
  'preflight.ts',
  'pipeline.ts',
  'stream',
  'portal',
  'audit',
  'forward',
  'cache',
  'viewer',
  'policy',
  'identity',
  'import',
  'doctor',
  'ldap',
  'route',
  'upstream',
  'listener',
  'acme',
  'issuer',
  'redis',
  'tls',
  'telemetry',
  'config',
  'http1',
  'kernel',
]
const layerOf = (file: string) => layers.indexOf(file.split('/')[0] ?? '')
const longest = 251 // 250 lines and the end of the last one
const sources = globSync('**/*.ts', { cwd: 'src' })

t.test('a file leans on its own layer or on one below, never above', async t => {
  const climbs: string[] = []
  for (const file of sources) {
    if (layerOf(file) === -1) climbs.push(`${file} has no place in the house`)
    const text = readFileSync(join('src', file), 'utf8')
    for (const [, target = ''] of text.matchAll(/(?:from |import |import\()'(\.[^']+)'/g)) {
      const imported = relative('src', join('src', dirname(file), target))
      if (layerOf(imported) < layerOf(file)) climbs.push(`${file} -> ${imported}`)
    }
  }
  t.same(climbs, [])
})

t.test('no file is a tower of its own', async t => {
  const towers = sources.filter(file => readFileSync(join('src', file), 'utf8').split('\n').length > longest)
  t.same(towers, [])
})

t.test('the file system is touched only where it belongs', async t => {
  const allowed =
    /^(cli|demo|issuer|viewer)\/|^(config\/load|tls\/[a-z-]+|audit\/audit-log|kernel\/(atomic-file|descriptor-limit|state-database)|preflight|house|acme\/(certificate-store|keystore-file)|portal\/stylesheet|cache\/disk-store|identity\/account-file)\.ts$/
  const strangers = sources.filter(
    file => !allowed.test(file) && /from 'node:fs/.test(readFileSync(join('src', file), 'utf8')),
  )
  t.same(strangers, [])
})

t.test('what other servers are trusted by is decided in one place', async t => {
  const careless = sources.filter(
    file =>
      !/^tls\/(server-context|connect-peer)\.ts$/.test(file) &&
      /rejectUnauthorized: *false/.test(readFileSync(join('src', file), 'utf8')),
  )
  t.same(careless, [], 'rejectUnauthorized: false stands only where the handshake terms are made')
})

t.test('every folder has a README that names exactly the files in it', async t => {
  const sections = readdirSync('src', { withFileTypes: true }).filter(entry => entry.isDirectory())
  for (const folder of ['release', ...sections.map(({ name }) => join('src', name))]) {
    const readme = join(folder, 'README.md')
    if (!existsSync(readme)) {
      t.fail(`${readme} is missing`)
      continue
    }
    const named = [...readFileSync(readme, 'utf8').matchAll(/^\| *`?([a-z0-9-]+\.(?:ts|css))`? *\|/gm)].map(
      ([, name]) => name,
    )
    const there = readdirSync(folder).filter(name => /\.(ts|css)$/.test(name))
    t.same(named.toSorted(), there.toSorted(), readme)
  }
})

t.test('every link of a document leads to something that is there', async t => {
  for (const document of globSync(['*.md', '{certs,config,release,src,test}/**/*.md'])) {
    for (const [, target = ''] of readFileSync(document, 'utf8').matchAll(/\]\((?!\w+:)([^)#]+)[^)]*\)/g))
      t.ok(existsSync(join(dirname(document), target)), `${document}: ${target}`)
  }
})

t.test(
  'every example configuration loads as config/sallyport.yaml, and names nothing outside the checkout',
  async t => {
    const root = `${resolve('.')}/`
    for (const file of globSync('config/examples/*.yaml')) {
      const text = readFileSync(file, 'utf8')
      const loaded = parseConfig(text, resolve('config'))
      t.same(loaded.ok ? [] : loaded.problems, [], file)
      if (!loaded.ok) continue
      const named = [loaded.config.state, loaded.config.audit.file, ...loaded.files]
      t.equal(
        loaded.config.authority.dir,
        resolve('certs/authority'),
        'the authority that the commands have made before',
      )
      t.equal(loaded.config.state, resolve('state'), 'and the state that they wrote to')
      t.same(
        named.filter(path => !path.startsWith(root) && !text.includes(path)),
        [],
        file,
      )
      t.ok(text.includes(`cp ${file} config/sallyport.yaml`), `${file} says where it belongs`)
    }
  },
)

t.test('the schema for editors is that of the code', async t => {
  t.equal(readFileSync('config/sallyport.schema.json', 'utf8'), configJsonSchema(), 'npm run schema writes it anew')
})
