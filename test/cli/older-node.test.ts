// A Node that is too old hands over to the right one, or says why it is not enough.
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { program, runCommand, startCommand } from '../fixture/command.ts'
import { makeSite } from '../fixture/site.ts'

const old = '/usr/bin/node'
const isOld =
  existsSync(old) && Number(execFileSync(old, ['-p', 'process.versions.node.split(".")[0]'], { encoding: 'utf8' })) < 24

t.test('the launcher asks for the Node that the package asks for', async t => {
  const [, major, minor] = /major === (\d+) && minor < (\d+)/.exec(readFileSync(program, 'utf8')) ?? []
  const { engines } = JSON.parse(readFileSync('package.json', 'utf8'))
  t.equal(engines.node, `>=${major}.${minor}`)
})

// What follows needs an older Node on the machine; where there is none, there is nothing to hand over.
if (isOld)
  t.test('an older Node of the machine hands over to that of the checkout, with signals and exit code', async t => {
    t.match(await runCommand(['--help'], { node: old }), { exitCode: 0, stdout: /sallyport serve/ })
    t.match(await runCommand(['nonsense'], { node: old }), { exitCode: 2 })
    const site = await makeSite(t, {
      yaml: `upstreams: { app: { kind: generic, url: "http://127.0.0.1:9" } }\nroutes: [{ path: /, upstream: app, access: everyone }]`,
    })
    const running = startCommand(t, ['serve', '--config', site.file], { node: old, cwd: site.dir })
    await running.shows(/^listening https:/m)
    running.signal('SIGTERM')
    t.match(await running.ended, { exitCode: 0, signal: null })
  })

if (isOld)
  t.test('outside a checkout an older Node is told why it is not enough', async t => {
    const dir = t.testdir({ bin: {}, 'package.json': '{ "type": "module" }' })
    copyFileSync(program, join(dir, 'bin', 'sallyport.js'))
    const { exitCode, stdout, stderr } = await runCommand(['serve'], {
      node: old,
      file: join(dir, 'bin', 'sallyport.js'),
    })
    t.equal(exitCode, 1)
    t.equal(stdout, '')
    t.match(stderr, /^error: sallyport needs Node 24\.21 or later; this is \d+\.\d+\.\d+\.$/m)
    t.match(stderr, /^Why: .*resumed TLS 1\.3 session/m)
    t.match(stderr, /^hint: /m)
  })
