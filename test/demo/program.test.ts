// A program is ready when it says so, dies with us, and its failure carries its log.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { freePorts, onFreePorts } from '../../src/demo/free-port.ts'
import { runProgram } from '../../src/demo/program.ts'

const shell = (t: { testdirName: string; testdir: () => string }, script: string) => ({
  command: '/bin/sh',
  args: ['-c', script],
  logFile: join(t.testdir(), 'log'),
})

t.test('it is ready when the question is answered, and gone when stopped', async t => {
  const terms = shell(t, 'echo begun; echo trouble >&2; exec sleep 60')
  const ready = async () => {
    // Throws until the program has come to print something.
    if (!readFileSync(terms.logFile, 'utf8').includes('trouble')) throw new Error('not yet')
    return true
  }
  const program = await runProgram({ ...terms, ready })
  t.equal(program.running, true)
  t.equal(program.log(), 'begun\ntrouble\n')
  await program.stop()
  t.equal(program.running, false)
  t.throws(() => process.kill(program.pid, 0), { code: 'ESRCH' })
  await program.stop()
})

t.test('one that ends, or is never ready, is a failure with its log', async t => {
  const never = { ready: async () => false }
  await t.rejects(runProgram({ ...shell(t, 'echo the cause >&2; exit 3'), ...never }), {
    name: 'ProgramFailure',
    message: /^\/bin\/sh ended at once \(exit code 3\)\nthe cause$/,
    log: 'the cause\n',
  })
  await t.rejects(runProgram({ ...shell(t, 'echo slow; exec sleep 60'), ...never, readyWithin: 100 }), {
    message: '/bin/sh was not ready within 100 ms\nslow',
  })
  await t.rejects(runProgram({ ...shell(t, ''), ...never, command: '/no/such/program' }), {
    message: /^\/no\/such\/program is not installed/,
  })
})

t.test('one that ignores SIGTERM is killed', async t => {
  const terms = shell(t, 'trap "" TERM; echo deaf; while :; do sleep 0.1; done')
  const program = await runProgram({ ...terms, ready: async () => readFileSync(terms.logFile, 'utf8') === 'deaf\n' })
  const began = Date.now()
  await program.stop()
  t.equal(program.running, false)
  t.ok(Date.now() - began < 4_000)
})

t.test('it does not outlive us, even when we are killed', async t => {
  if (!existsSync('/usr/bin/setpriv')) return t.pass('no setpriv', { skip: 'needs setpriv' })
  const module = join(import.meta.dirname, '..', '..', 'src', 'demo', 'program.ts')
  const script = `
    const { runProgram } = await import(process.argv[1])
    const terms = { command: '/bin/sleep', args: ['60'], logFile: process.argv[2] }
    const { pid } = await runProgram({ ...terms, ready: async () => true })
    console.log(pid)
    setInterval(() => {}, 1000)`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script, module, join(t.testdir(), 'log')])
  const [printed] = await once(parent.stdout, 'data')
  const pid = Number(String(printed))
  process.kill(pid, 0)
  parent.kill('SIGKILL')
  await once(parent, 'exit')
  await pause(50)
  const state = () => execFileSync('sh', ['-c', `cat /proc/${pid}/stat 2>/dev/null || true`], { encoding: 'utf8' })
  t.match(state(), /^$|\) Z /, 'gone, or dead and waiting to be reaped')
})

t.test('a port that was taken in between is tried again, any other failure is not', async t => {
  const seen: (readonly number[])[] = []
  const start = (complaint: string) => async (ports: readonly number[]) => {
    seen.push(ports)
    if (seen.length < 3) await runProgram({ ...shell(t, `echo "${complaint}"; exit 1`), ready: async () => false })
    return 'up'
  }
  t.equal(await onFreePorts(2, '127.0.0.1', start('bind: Address already in use')), 'up')
  t.equal(seen.length, 3)
  t.equal(new Set(await freePorts(20, '127.0.0.1')).size, 20)

  seen.length = 0
  await t.rejects(onFreePorts(1, '127.0.0.1', start('bad configuration')), {
    name: 'ProgramFailure',
    log: 'bad configuration\n',
  })
  t.equal(seen.length, 1)
})
