// `viewer install` on the command line: where it goes, what it says, and what it leaves when it fails.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import t, { type Test } from 'tap'
import { startCommand } from '../fixture/command.ts'
import { modeOf, type Surroundings, sallyport } from './command.ts'

/** A folder with a package as npm would pack it, and `npm` in front of the path doing what the test says. */
function place(t: Test, npm = 'echo "npm error code ENOTFOUND" >&2; exit 1') {
  const cwd = mkdtempSync(join(tmpdir(), 'sallyport-viewer-'))
  t.teardown(() => rmSync(cwd, { recursive: true }))
  const file = (path: string) => join(cwd, path)
  mkdirSync(file('package/dist'), { recursive: true })
  writeFileSync(file('package/dist/index.html'), '<!doctype html>')
  writeFileSync(file('package/dist/app.js'), 'run()')
  execFileSync('tar', ['-czf', 'ohif.tgz', 'package'], { cwd })
  rmSync(file('package'), { recursive: true })
  mkdirSync(file('bin'))
  writeFileSync(file('bin/npm'), `#!/bin/sh\n${npm}\n`, { mode: 0o755 })
  const env = { PATH: [file('bin'), process.env['PATH']].join(delimiter) }
  const install = (args: readonly string[], more: Partial<Surroundings> = {}) =>
    sallyport(['viewer', 'install', ...args], { cwd, env, ...more })
  return { cwd, env, file, install }
}

const fromFile = ['--version', '9.9.9', '--archive', 'ohif.tgz']
const configuration = (upstreams: string, routes = '') =>
  `state: var\nlisteners: { web: { bind: "127.0.0.1:8443", keystore: { certificate: x.pem } } }\nupstreams: ${upstreams}\n${routes}`

t.test('it goes to state/ohif, and says where it lies and how to use it', async t => {
  const { file, install } = place(t)
  const { code, stdout, stderr } = await install(fromFile)
  t.equal(code, 0, stderr)
  t.match(stdout, /^OHIF viewer 9\.9\.9 installed: state\/ohif \(2 files, 0 MB\)\n {2}taken from the file as it is/)
  t.equal(stderr, 'use it: sallyport serve shows it on https://localhost:8443/\n')
  t.equal(readFileSync(file('state/ohif/index.html'), 'utf8'), '<!doctype html>')
  t.equal(modeOf(file('state')), '0700')
  t.same(readdirSync(file('state')), ['ohif'])

  t.match(await install(fromFile), { code: 0, stdout: /^OHIF viewer 9\.9\.9 is there already: state\/ohif/ })
  const json = await install([...fromFile, '--json'])
  t.match(JSON.parse(json.stdout), { version: '9.9.9', outcome: 'present', root: file('state/ohif'), files: 2 })
})

t.test('the package comes from npm, and must be what the registry states', async t => {
  const pack = `[ "$1" = pack ] && { cp ohif.tgz "$4/" && echo '[{ "filename": "ohif.tgz" }]'; exit; }`
  const sum = `echo "sha512-$(openssl dgst -sha512 -binary ohif.tgz | base64 -w0)"`
  const good = place(t, `${pack}\n${sum}`)
  t.match(await good.install(['--version', '9.9.9']), {
    code: 0,
    stdout: /checked against the SHA-512 that the npm registry states/,
  })

  const forged = place(t, pack)
  const pinned = await forged.install([])
  t.match(pinned, { code: 1, stdout: '', stderr: /^error: The package is not the one that was published/ })
  t.notOk(existsSync(forged.file('state/ohif')))
})

t.test('the configuration says where it goes', async t => {
  const { file, install } = place(t)
  writeFileSync(
    file('a.yaml'),
    configuration('{ ohif: { kind: ohif, root: www } }', 'routes: [{ path: /, upstream: ohif, access: everyone }]'),
  )
  t.match(await install([...fromFile, '--config', 'a.yaml']), {
    code: 0,
    stdout: / installed: www \(/,
    stderr: /the upstream "ohif" of the configuration has it/,
  })
  writeFileSync(file('b.yaml'), configuration('{}'))
  t.match(await install([...fromFile, '--config', 'b.yaml']), {
    code: 0,
    stdout: / installed: var\/ohif \(/,
    stderr: /kind: ohif, root: /,
  })
  writeFileSync(
    file('c.yaml'),
    configuration('{ one: { kind: ohif, root: 1 }, two: { kind: ohif, root: "2" } }'.replace('root: 1', 'root: "1"')),
  )
  t.match(await install([...fromFile, '--config', 'c.yaml']), {
    code: 2,
    stdout: '',
    stderr: /several folders for viewers: 1, 2\nhint: .*--dir/,
  })
  t.match(await install([...fromFile, '--config', 'c.yaml', '--dir', '2']), { code: 0, stdout: / installed: 2 \(/ })
})

t.test('what goes wrong is said with its cure, and leaves nothing', async t => {
  const { file, install } = place(t)
  mkdirSync(file('mine'))
  writeFileSync(file('mine/thesis.txt'), 'do not lose')
  writeFileSync(file('text.tgz'), 'no archive')
  for (const [args, code, said] of [
    [['--version', 'latest'], 2, /"latest" is no version; write one like 3\.13\.2/],
    [['--archive', 'missing.tgz'], 2, /there is no file missing\.tgz\nhint: npm pack @ohif\/app@3\.13\.2/],
    [[...fromFile, '--dir', 'mine'], 1, /mine holds files that did not come from this command.*\nhint: .*--dir/],
    [['--version', '9.9.9', '--archive', 'text.tgz', '--dir', 'new'], 1, /The archive/],
    [['--version', '9.9.9'], 1, /npm cannot reach its registry[\s\S]*hint: /],
  ] as const) {
    t.match(await install(args), { code, stdout: '', stderr: said }, args.join(' '))
  }
  t.same(readdirSync(file('mine')), ['thesis.txt'])
  t.notOk(existsSync(file('new')))
})

t.test('Ctrl-C while it fetches leaves nothing half done', async t => {
  const { cwd, env, file } = place(t, `echo started > "${'$'}{0%/*}/mark"; exec sleep 60`)
  const running = startCommand(t, ['viewer', 'install'], { cwd, env })
  while (!existsSync(file('bin/mark'))) await new Promise(resolve => setTimeout(resolve, 20))
  running.signal('SIGINT')
  t.match(await running.ended, { exitCode: 1, stdout: '', stderr: /interrupted; nothing was changed/ })
  t.same(readdirSync(file('state')), [])
})

t.test('it has a help with an example', async t => {
  const { cwd } = place(t)
  t.match(await sallyport(['viewer', 'install', '--help'], { cwd }), {
    code: 0,
    stdout: /Examples:\n {2}sallyport viewer install/,
  })
  t.match(await sallyport(['viewer', '--help'], { cwd }), {
    code: 0,
    stdout: /Examples:\n {2}sallyport viewer install/,
  })
  t.match(await sallyport(['viewer'], { cwd }), { code: 2, stderr: /say what: sallyport viewer install/ })
})
