// The viewer is installed whole or not at all, and only what was published.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type InstallProgress, installViewer } from '../../src/viewer/install.ts'

/** A package as npm would pack it; each test spoils it in one way. */
function packed(dir: string, name: string, spoil: (dist: string) => void = () => undefined): string {
  const dist = join(dir, name, 'package', 'dist')
  mkdirSync(join(dist, 'assets'), { recursive: true })
  writeFileSync(join(dir, name, 'package', 'package.json'), '{}')
  writeFileSync(join(dir, name, 'package', 'LICENSE'), 'MIT')
  writeFileSync(join(dist, 'index.html'), '<!doctype html>')
  writeFileSync(join(dist, 'app.js'), 'run()')
  writeFileSync(join(dist, 'app.js.map'), '{}')
  writeFileSync(join(dist, 'assets', 'logo.svg'), '<svg/>')
  spoil(dist)
  const archive = join(dir, `${name}.tgz`)
  execFileSync('tar', ['-czf', archive, '-P', '-C', join(dir, name), 'package'])
  return archive
}

/** An npm that does what the test says: a shell script with `$1` the command. */
function fakeNpm(dir: string, script: string): string {
  const file = join(dir, 'npm')
  writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return file
}

const tree = (folder: string) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()
const leftovers = (dir: string) => readdirSync(dir).filter(name => name.includes('.installing-'))

function place(t: Test) {
  const dir = t.testdir()
  return { dir, root: join(dir, 'state', 'ohif') }
}

t.test('it unpacks the built viewer with its licence and without source maps', async t => {
  const { dir, root } = place(t)
  const seen: InstallProgress['step'][] = []
  const result = await installViewer({
    root,
    version: '9.9.9',
    archive: packed(dir, 'good'),
    onProgress: ({ step }) => seen.push(step),
  })
  t.match(result, {
    outcome: 'installed',
    version: '9.9.9',
    checkedAgainst: 'nothing',
    files: 3,
    integrity: /^sha512-/,
  })
  t.same(tree(root), ['LICENSE', 'VERSION', 'app.js', 'assets', 'assets/logo.svg', 'index.html'])
  t.match(readFileSync(join(root, 'VERSION'), 'utf8'), /^version 9\.9\.9\n/)
  t.same([...new Set(seen)], ['check', 'unpack'])
  t.same(leftovers(join(dir, 'state')), [])
})

t.test('a second install of the same version says that it is there already', async t => {
  const { dir, root } = place(t)
  const archive = packed(dir, 'good')
  await installViewer({ root, version: '9.9.9', archive })
  const again = await installViewer({ root, version: '9.9.9', archive: '/does/not/exist' })
  t.match(again, { outcome: 'present', files: 3 })
})

t.test('another version takes the place of the old one', async t => {
  const { dir, root } = place(t)
  await installViewer({
    root,
    version: '9.9.9',
    archive: packed(dir, 'old', dist => writeFileSync(join(dist, 'old.js'), '1')),
  })
  const result = await installViewer({ root, version: '9.9.10', archive: packed(dir, 'new') })
  t.match(result, { outcome: 'installed', version: '9.9.10' })
  t.notOk(tree(root).includes('old.js'))
  t.same(leftovers(join(dir, 'state')), [])
})

t.test('a folder that did not come from this command is never replaced', async t => {
  const { dir, root } = place(t)
  mkdirSync(root, { recursive: true })
  writeFileSync(join(root, 'own.txt'), 'mine')
  await t.rejects(installViewer({ root, version: '9.9.9', archive: packed(dir, 'good') }), { code: 'folder-taken' })
  t.same(tree(root), ['own.txt'])
})

t.test('an archive with a link, or a way outside, is refused whole', async t => {
  const { dir, root } = place(t)
  const link = packed(dir, 'link', dist => symlinkSync('/etc/passwd', join(dist, 'x.js')))
  await t.rejects(installViewer({ root, version: '9.9.9', archive: link }), {
    code: 'archive-unsafe',
    message: /SymbolicLink/,
  })
  const climbing = packed(dir, 'climb')
  const outside = join(dir, 'climb')
  writeFileSync(join(outside, 'evil.js'), 'evil')
  execFileSync('tar', [
    '-czf',
    climbing,
    '-P',
    '-C',
    join(outside, 'package'),
    '--transform',
    's,^x/,package/dist/../../../,',
    '--transform',
    's,^\\./,package/,',
    '.',
    '../evil.js',
  ])
  await t.rejects(installViewer({ root, version: '9.9.9', archive: climbing }), { code: /archive-(unsafe|unreadable)/ })
  t.notOk(readdirSync(dir).includes('evil.js'))
  t.throws(() => readdirSync(root), { code: 'ENOENT' })
  t.same(leftovers(join(dir, 'state')), [])
})

t.test('an archive that is broken, or holds no viewer, leaves the old one in place', async t => {
  const { dir, root } = place(t)
  await installViewer({ root, version: '9.9.9', archive: packed(dir, 'good') })
  const before = tree(root)
  const broken = join(dir, 'broken.tgz')
  writeFileSync(broken, readFileSync(packed(dir, 'whole')).subarray(0, 150))
  const cases: [string, string][] = [
    [broken, 'archive-unreadable'],
    [packed(dir, 'hollow', dist => execFileSync('rm', [join(dist, 'index.html')])), 'archive-incomplete'],
  ]
  for (const [archive, code] of cases) {
    await t.rejects(installViewer({ root, version: '9.9.10', archive }), { code })
    t.same(tree(root), before)
  }
  t.same(leftovers(join(dir, 'state')), [])
})

t.test('an install that is interrupted leaves the old viewer', async t => {
  const { dir, root } = place(t)
  await installViewer({ root, version: '9.9.9', archive: packed(dir, 'good') })
  const before = tree(root)
  const stop = new AbortController()
  const onProgress = ({ step }: InstallProgress) => step === 'unpack' && stop.abort()
  const archive = packed(dir, 'new')
  await t.rejects(installViewer({ root, version: '9.9.10', archive, onProgress, signal: stop.signal }), {
    name: 'AbortError',
  })
  t.same(tree(root), before)

  const hanging = fakeNpm(dir, 'exec sleep 600')
  const soon = AbortSignal.timeout(200)
  await t.rejects(installViewer({ root, version: '9.9.10', npm: hanging, signal: soon }), { name: 'AbortError' })
  t.same(tree(root), before)
  t.same(leftovers(join(dir, 'state')), [])
})

t.test('the default version is taken only with the SHA-512 that was published', async t => {
  const { dir, root } = place(t)
  await t.rejects(installViewer({ root, archive: packed(dir, 'forged') }), {
    code: 'integrity-mismatch',
    message: /sha512-WZdxmpm/,
  })
  t.throws(() => readdirSync(root), { code: 'ENOENT' })
})

t.test('npm fetches what the registry states, and another package is refused', async t => {
  const { dir, root } = place(t)
  const archive = packed(dir, 'good')
  const sum = execFileSync('sh', ['-c', `openssl dgst -sha512 -binary "$1" | base64 -w0`, 'sh', archive], {
    encoding: 'utf8',
  })
  const npm = (stated: string) =>
    fakeNpm(
      dir,
      `if [ "$1" = view ]; then echo ${stated}; exit; fi
       [ "$2" = @ohif/app@9.9.9 ] || exit 9
       while [ "$1" != --pack-destination ]; do shift; done
       cp ${archive} "$2/ohif-app-9.9.9.tgz"; echo '[{"filename":"ohif-app-9.9.9.tgz"}]'`,
    )
  const other = `sha512-${'A'.repeat(86)}==`
  await t.rejects(installViewer({ root, version: '9.9.9', npm: npm(other) }), { code: 'integrity-mismatch' })
  const result = await installViewer({ root, version: '9.9.9', npm: npm(`sha512-${sum}`) })
  t.match(result, { outcome: 'installed', checkedAgainst: 'registry', integrity: `sha512-${sum}` })
})

t.test('what stands in the way is said with its cure', async t => {
  const { dir, root } = place(t)
  await t.rejects(installViewer({ root, npm: join(dir, 'nowhere') }), { code: 'npm-missing', message: /Install npm/ })
  const offline = fakeNpm(dir, 'echo "npm error code EAI_AGAIN" >&2; exit 1')
  await t.rejects(installViewer({ root, npm: offline }), {
    code: 'npm-offline',
    message: /npm pack @ohif\/app@3\.13\.2/,
  })
  const unknown = fakeNpm(dir, 'echo "npm error code E404" >&2; exit 1')
  await t.rejects(installViewer({ root, version: '1.1.1', npm: unknown }), {
    code: 'version-unknown',
    message: /1\.1\.1/,
  })
  for (const version of ['latest', '3.13.2 --evil', 'file:/etc', '', '../..']) {
    await t.rejects(installViewer({ root, version, npm: join(dir, 'nowhere') }), { code: 'version-invalid' }, version)
  }
})
