// The npm package, as an operator gets it: packed, installed into an empty folder, and at work there.
import { execFileSync } from 'node:child_process'
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:https'
import { builtinModules } from 'node:module'
import { tmpdir } from 'node:os'
import { join, relative, resolve, sep } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { runCommand, startCommand } from '../fixture/command.ts'
import { requireReal } from '../fixture/real.ts'
import { command, installs, npm } from './npm.ts'

const checkout = resolve(import.meta.dirname, '../..')
/** What is of this machine, and not of the sources. */
const left = new Set(['.git', '.tap', '.cache', 'node_modules', 'dist', 'state', 'certs', 'sbom.cdx.json'])

function folder(t: Pick<Test, 'teardown'>, what: string): string {
  const dir = mkdtempSync(join(tmpdir(), `sallyport-${what}-`))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** The checkout of somebody who runs a gateway from it: what must stay there lies everywhere. */
function usedCheckout(t: Pick<Test, 'teardown'>): string {
  const dir = folder(t, 'checkout')
  cpSync(checkout, dir, {
    recursive: true,
    filter: path => !left.has(relative(checkout, path).split(sep)[0] ?? ''),
  })
  cpSync(join(checkout, 'certs/README.md'), join(dir, 'certs/README.md'))
  for (const secret of [
    'certs/server.key',
    'certs/authority/ca.key',
    'config/sallyport.yaml',
    'config/secrets/ldap',
    'state/users.yaml',
    'dist/left-over.js',
    '.env',
  ]) {
    mkdirSync(join(dir, secret, '..'), { recursive: true })
    writeFileSync(join(dir, secret), 'of this machine')
  }
  execFileSync('ln', ['-s', join(checkout, 'node_modules'), join(dir, 'node_modules')])
  return dir
}

function pack(t: Test): string | undefined {
  const dir = folder(t, 'tarball')
  const packed = npm(usedCheckout(t), 'pack', '--pack-destination', dir)
  t.equal(packed.status, 0, `npm pack: ${packed.stderr}`)
  return globSync(join(dir, '*.tgz'))[0]
}

t.test('the package', async t => {
  if (!requireReal(t, ['npm', 'tar'])) return
  const tarball = pack(t)
  if (tarball === undefined) return

  await t.test('holds the program, its examples, and nothing of this machine', async t => {
    const files = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map(file => file.replace(/^package\//, ''))
    const inside = (depth: number, under = '') =>
      [
        ...new Set(files.filter(file => file.startsWith(under)).map(file => file.split('/').slice(0, depth).join('/'))),
      ].toSorted()
    t.same(inside(1), [
      'CHANGELOG.md',
      'DEPENDENCIES.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'bin',
      'certs',
      'config',
      'dist',
      'package.json',
      'sbom.cdx.json',
    ])
    t.same(inside(9, 'certs/'), ['certs/README.md'])
    t.same(inside(2, 'config/'), ['config/deploy', 'config/examples', 'config/sallyport.schema.json'])
    t.same(
      inside(9, 'dist/'),
      globSync('**/*.{ts,css}', { cwd: join(checkout, 'src') })
        .map(file => `dist/${file.replace(/\.ts$/, '.js')}`)
        .toSorted(),
      'each source compiled, the style sheet as it is, and nothing that an older build left',
    )
    t.same(
      files.filter(file => /\.(test\.|ts$|key$|p12$|db$|env$)|secrets\//.test(file)),
      [],
    )
  })

  const dir = folder(t, 'installed')
  if (!installs(t, dir, 'install', tarball)) return
  const home = join(dir, 'node_modules/sallyport')
  const file = join(dir, 'node_modules/.bin/sallyport')
  const run = (...args: string[]) => runCommand(args, { cwd: dir, file })

  await t.test('brings whatever it imports, and runs nothing when it is installed', async t => {
    const { dependencies, scripts } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
    t.same(
      Object.keys(scripts).filter(name => /^(pre|post)?install$|^prepare$/.test(name)),
      [],
    )
    const imported = new Set<string>()
    for (const path of globSync(join(home, 'dist/**/*.js')))
      for (const [, name = ''] of readFileSync(path, 'utf8').matchAll(/^(?:import .*|\} )from '([^.'][^']*)'/gm))
        imported.add(/^(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name)
    const foreign = [...imported].filter(name => !name.startsWith('node:') && !builtinModules.includes(name))
    t.ok(foreign.length > 5, `${foreign}`)
    t.same(
      foreign.filter(name => dependencies[name] === undefined),
      [],
    )
  })

  await t.test('says what is installed with it, in a bill that names exactly that', async t => {
    const bill = JSON.parse(readFileSync(join(home, 'sbom.cdx.json'), 'utf8'))
    t.match(bill, { bomFormat: 'CycloneDX', metadata: { component: { name: 'sallyport', type: 'application' } } })
    const { packages } = JSON.parse(readFileSync(join(checkout, 'package-lock.json'), 'utf8'))
    const locked = Object.entries<{ dev?: true; version: string; integrity: string }>(packages)
      .filter(([path, { dev }]) => path !== '' && dev !== true)
      .map(([path, { version, integrity }]) => {
        const hash = Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex')
        return `${path.replace(/^.*node_modules\//, '')} ${version} ${hash}`
      })
    const listed: string[] = bill.components.map(
      (one: { name: string; version: string; hashes: [{ content: string }] }) =>
        `${one.name} ${one.version} ${one.hashes[0].content}`,
    )
    t.same(listed.toSorted(), [...new Set(locked)].toSorted())
    const { dependencies } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
    const [root] = bill.dependencies.filter(({ ref }: { ref: string }) => ref.startsWith('sallyport@'))
    t.same(
      root.dependsOn.map((ref: string) => ref.replace(/@[^@]+$/, '')).toSorted(),
      Object.keys(dependencies).toSorted(),
    )
  })

  await t.test('is a command for npx', async t => {
    const help = command(dir, 'npx', '--no-install', 'sallyport', '--help')
    t.equal(help.status, 0, help.stderr)
    t.match(help.stdout, /sallyport serve .*run the gateway/)
  })

  await t.test('makes certificates, checks an example, and answers with the login page', async t => {
    for (const args of [
      ['certs', 'authority'],
      ['certs', 'server', 'localhost'],
    ])
      t.match(await run(...args), { exitCode: 0 }, args.join(' '))
    const example = readFileSync(join(home, 'config/examples/orthanc-peers.yaml'), 'utf8')
    mkdirSync(join(dir, 'config'))
    const own = example.replace(/bind: \S+/, 'bind: 127.0.0.1:0').replace(/\n.*publicUrl: .*/, '')
    writeFileSync(join(dir, 'config/sallyport.yaml'), own)
    const checked = await run('check')
    t.equal(checked.exitCode, 0, checked.stderr)

    const running = startCommand(t, ['serve'], { cwd: dir, file })
    const [, port = ''] = await running.shows(/^listening https:\/\/127\.0\.0\.1:(\d+) \(web\)$/m)
    const ca = readFileSync(join(dir, 'certs/authority/ca.pem'))
    const ask = (path: string) =>
      new Promise<{ status: number | undefined; body: string }>((resolve, reject) =>
        get({
          host: '127.0.0.1',
          servername: 'localhost',
          port,
          ca,
          path,
          agent: false,
          headers: { accept: 'text/html', host: `localhost:${port}` },
        })
          .on('response', async answer => resolve({ status: answer.statusCode, body: await text(answer) }))
          .on('error', reject),
      )
    const page = await ask('/-/login')
    t.match(page, { status: 200, body: /<input[^>]+type="password"/ })
    const [, href = ''] = /<link[^>]+href="([^"]*portal\.css[^"]*)"/.exec(page.body) ?? []
    t.same(await ask(href), { status: 200, body: readFileSync(join(checkout, 'src/portal/portal.css'), 'utf8') })
    running.signal('SIGTERM')
    t.match(await running.ended, { exitCode: 0 })
  })
})
