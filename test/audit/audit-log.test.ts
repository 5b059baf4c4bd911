/**
 * The audit trail on the disk: one line for each event, for its owner alone, through rotation and outages.
 */
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { type AuditSettings, openAuditLog } from '../../src/audit/audit-log.ts'
import { movedClock } from '../identity/moved-clock.ts'

async function start(t: Test, more: Partial<AuditSettings> = {}) {
  const file = more.file ?? join(t.testdir(), 'audit.jsonl')
  const alarms: unknown[] = []
  const clock = movedClock(Date.UTC(2026, 10, 22, 12))
  const settings = {
    onFailure: 'continue',
    now: clock.now,
    alarm: (cause: unknown) => alarms.push(cause),
    ...more,
  } as const
  const log = await openAuditLog({ ...settings, file })
  t.teardown(() => log[Symbol.asyncDispose]())
  const lines = () =>
    readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line))
  return { file, alarms, log, lines }
}

t.test('each event is one line that names its time and request, whatever is in it', async t => {
  const { log, lines, file } = await start(t)
  await log.record('run-1', { kind: 'start' })
  const event = {
    kind: 'login-refused',
    claimed: 'ali\nce {"kind":"start"}',
    reason: 'wrong-credentials',
    detail: 'x',
    address: '192.0.2.1',
  } as const
  await log.record('r-1', event)
  t.same(lines(), [
    { time: '2026-11-22T12:00:00.000Z', id: 'run-1', kind: 'start' },
    { time: '2026-11-22T12:00:00.000Z', id: 'r-1', ...event },
  ])
  t.equal(statSync(file).mode & 0o777, 0o600)
})

t.test('lines of one moment keep their order, and what stood in the file stays', async t => {
  const { log, lines, file } = await start(t)
  await Promise.all(Array.from({ length: 200 }, (_, number) => log.record(String(number), { kind: 'start' })))
  t.same(
    lines().map(({ id }) => id),
    Array.from({ length: 200 }, (_, number) => String(number)),
  )
  await log[Symbol.asyncDispose]()
  const again = await openAuditLog({ file, onFailure: 'continue', now: () => 0, alarm: () => undefined })
  await again.record('last', { kind: 'stop' })
  await again[Symbol.asyncDispose]()
  t.equal(lines().length, 201)
})

t.test('a file that was moved away is opened anew, without a signal', async t => {
  const { log, lines, file } = await start(t)
  await log.record('old', { kind: 'start' })
  renameSync(file, `${file}.1`)
  await log.record('new', { kind: 'start' })
  t.same(
    lines().map(({ id }) => id),
    ['new'],
  )
  t.match(readFileSync(`${file}.1`, 'utf8'), /"id":"old"/)
  t.equal(statSync(file).mode & 0o777, 0o600)
})

/** The folder of the file is gone and a file lies in its place: nothing can be written. */
function breakOff(file: string): () => void {
  renameSync(dirname(file), `${dirname(file)}.away`)
  writeFileSync(dirname(file), '')
  return () => {
    renameSync(dirname(file), `${dirname(file)}.blocked`)
    mkdirSync(dirname(file))
  }
}

t.test('what cannot be written raises the alarm, and care goes on', async t => {
  const file = join(t.testdir({ logs: {} }), 'logs', 'audit.jsonl')
  const { log, alarms } = await start(t, { file })
  const repair = breakOff(file)
  t.equal(await log.record('r-1', { kind: 'start' }), false)
  t.match(alarms, [{ code: 'ENOTDIR' }])
  repair()
  t.equal(await log.record('r-2', { kind: 'start' }), true)
  t.match(readFileSync(file, 'utf8'), /"id":"r-2"/, 'and it is written again as soon as it can be')
  t.equal(alarms.length, 1)
})

t.test('where the site chose to refuse, what cannot be written is a fault', async t => {
  const file = join(t.testdir({ logs: {} }), 'logs', 'audit.jsonl')
  const { log, alarms } = await start(t, { file, onFailure: 'refuse' })
  await log.record('r-0', { kind: 'start' })
  breakOff(file)
  await t.rejects(log.record('r-1', { kind: 'start' }), { name: 'Fault', code: 'audit-unavailable', status: 503 })
  t.equal(alarms.length, 1)
})
