// The installer is quick when there is nothing to do, and honest when it can do nothing.
import { spawnSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const script = join(import.meta.dirname, '..', 'install-packages.ts')

/** Runs it on a machine whose dpkg-query is this shell script, and whose apt-get may be another. */
function run(t: { testdir: (tree: Record<string, string>) => string }, tools: Record<string, string>, strict = '0') {
  const dir = t.testdir(Object.fromEntries(Object.entries(tools).map(([name, text]) => [name, `#!/bin/sh\n${text}\n`])))
  for (const name of Object.keys(tools)) chmodSync(join(dir, name), 0o755)
  const env = { PATH: dir, REQUIRE_REAL: strict }
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { env, encoding: 'utf8' })
  return { status, stdout, stderr }
}

// The shell of the stubs has no PATH beyond their folder, so these use built-ins only.
const all = 'shift 3; for name; do echo "$name installed"; done'
const some = 'shift 3; for name; do [ "$name" = slapd ] || echo "$name installed"; done; exit 1'

t.test('with everything there it says nothing', async t => {
  t.same(run(t, { 'dpkg-query': all }, '1'), { status: 0, stdout: '', stderr: '' })
})

t.test('without apt-get it names what is missing and lets the tests skip', async t => {
  const { status, stderr } = run(t, { 'dpkg-query': some })
  t.equal(status, 0)
  t.equal(stderr, 'test packages: not installed: slapd; tests that need them will be skipped\n')
})

t.test('without apt-get it fails where real parts are required', async t => {
  const { status, stderr } = run(t, { 'dpkg-query': some }, '1')
  t.equal(status, 1)
  t.match(stderr, 'not installed: slapd')
})

t.test(
  'a failing apt-get is shown, a working one is not',
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async t => {
    const failing = run(t, { 'dpkg-query': some, 'apt-get': 'echo "no network here"; exit 100' })
    t.equal(failing.status, 0)
    t.match(failing.stderr, 'no network here')
    t.match(failing.stderr, 'apt-get failed (exit code 100)')

    const mark = join(t.testdirName, 'done')
    const working = run(t, {
      'dpkg-query': `if [ -e ${mark} ]; then ${all}; else ${some}; fi`,
      'apt-get': `echo chatter; : > ${mark}`,
    })
    t.equal(working.status, 0)
    t.equal(working.stderr, 'test packages: apt-get update\ntest packages: apt-get install slapd\n')
  },
)
