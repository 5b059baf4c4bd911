// `sallyport audit tail` and `search`: the trail that the gateway writes, readable; found by who, when, what and where from.
import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, renameSync, truncateSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openAuditLog } from '../../src/audit/audit-log.ts'
import type { AuditEvent } from '../../src/audit/event.ts'
import { createFilter, type FilterArguments } from '../../src/cli/audit-filter.ts'
import { linesOf, startOfLast } from '../../src/cli/audit-lines.ts'
import { eventLine } from '../../src/cli/audit-text.ts'
import { runCommand, startCommand, twoAtATime } from '../fixture/command.ts'

process.env['TZ'] = 'UTC'

const alice = { name: 'alice', realm: 'directory', proof: 'password' }
const where = { method: 'GET', path: '/dicom-web/studies/1.2.3/series', route: 'routes[1]' }
const day = Date.parse('2026-11-28T00:00:00Z')
/** One each hour from midnight on, under the ids e0, e1 … */
const events: readonly AuditEvent[] = [
  { kind: 'start' },
  { kind: 'login', who: alice, address: '10.1.0.1' },
  {
    ...{ kind: 'login-refused', claimed: '\x1b[31mAlice\u202e\u009b', reason: 'wrong-credentials' },
    ...{ detail: 'no such\nuser', address: '10.2.0.1' },
  },
  { kind: 'study', who: alice, study: '1.2.3', address: '10.1.0.1', where },
  { kind: 'denial', reason: 'no-identity', address: 'fd00::7', leftOut: 3, where: { ...where, route: 'routes[2]' } },
  {
    ...{ kind: 'stream', who: { ...alice, name: 'ct', proof: 'certificate' }, address: '10.1.0.9', stream: 'dicom' },
    ...{ calling: 'CT1', called: 'PACS' },
  },
  { kind: 'login-refused', claimed: 'ALICE', reason: 'throttled', detail: 'too many', address: '10.2.0.1' },
]

async function writeTrail(t: Test, more = ''): Promise<string> {
  const dir = t.testdir()
  mkdirSync(join(dir, 'state'))
  const file = join(dir, 'state', 'audit.jsonl')
  let now = day
  const alarm = (cause: unknown) => t.fail('the trail cannot be written', { cause })
  await using log = await openAuditLog({ file, onFailure: 'refuse', now: () => now, alarm })
  for (const [index, event] of events.entries()) {
    now = day + index * 3_600_000
    await log.record(`e${index}`, event)
  }
  appendFileSync(file, more)
  return dir
}

const idsIn = (stdout: string) => [...stdout.matchAll(/\[(e\d)\]$/gm)].map(([, id]) => id)

t.test('an event is one line to read, with the zone of its time, and nothing in it reaches the terminal', async t => {
  const cwd = await writeTrail(t)
  const { stdout, exitCode } = await runCommand(['audit', 'tail', '--json=false'], { cwd })
  t.equal(exitCode, 0)
  t.same(stdout.trimEnd().split('\n'), [
    '2026-11-28 00:00:00 +00:00 start               [e0]',
    '2026-11-28 01:00:00 +00:00 login               alice (directory, password) from 10.1.0.1 [e1]',
    '2026-11-28 02:00:00 +00:00 login-refused       who claims to be "\\u{1b}[31mAlice\\u{202e}\\u{9b}" from 10.2.0.1 - wrong-credentials: no such\\u{a}user [e2]',
    '2026-11-28 03:00:00 +00:00 study               alice (directory, password) from 10.1.0.1 study 1.2.3 GET /dicom-web/studies/1.2.3/series (routes[1]) [e3]',
    '2026-11-28 04:00:00 +00:00 denial              nobody known from fd00::7 GET /dicom-web/studies/1.2.3/series (routes[2]) - no-identity (3 more were left out) [e4]',
    '2026-11-28 05:00:00 +00:00 stream              ct (directory, certificate) from 10.1.0.9 on stream dicom as CT1 to PACS [e5]',
    '2026-11-28 06:00:00 +00:00 login-refused       who claims to be "ALICE" from 10.2.0.1 - throttled: too many [e6]',
  ])
  process.env['TZ'] = 'Europe/Berlin'
  t.match(eventLine({ time: '2026-11-28T06:00:00Z', kind: 'stop' }), /^2026-11-28 07:00:00 \+01:00 stop/)
  process.env['TZ'] = 'UTC'
})

t.test('search finds by who, when, what and where from, all at once', async t => {
  const recorded = events.map((event, index) => ({
    ...{ time: new Date(day + index * 3_600_000).toISOString(), id: `e${index}` },
    ...event,
  }))
  const asked: readonly (readonly [asked: FilterArguments, ids: string])[] = [
    [{ user: 'alice' }, 'e1 e3 e6'],
    [{ kind: ['login', 'stream'] }, 'e1 e5'],
    [{ kind: 'denial' }, 'e4'],
    [{ since: '2026-11-28T04:00Z' }, 'e4 e5 e6'],
    [{ since: '2026-11-28 05:00' }, 'e5 e6'],
    [{ since: '2026-11-28T04:00+02:00', until: '2026-11-28T03:00Z' }, 'e2'],
    [{ until: '2026-11-28' }, ''],
    [{ since: '30 min' }, ''],
    [{ since: '4h' }, 'e4 e5 e6'],
    [{ route: 'routes[2]' }, 'e4'],
    [{ route: 'dicom' }, 'e5'],
    [{ address: '10.1.0.0/16' }, 'e1 e3 e5'],
    [{ address: 'fd00:0::7' }, 'e4'],
    [{ study: '1.2.3' }, 'e3'],
    [{ id: 'e5' }, 'e5'],
    [{ user: 'alice', address: '10.2.0.1' }, 'e6'],
  ]
  for (const [filter, ids] of asked) {
    const found = recorded.filter(createFilter(filter, day + 8 * 3_600_000)).map(({ id }) => id)
    t.equal(found.join(' '), ids, JSON.stringify(filter))
  }
  const cwd = await writeTrail(t)
  const { stdout } = await runCommand(['audit', 'search', '--user', 'alice', '--json'], { cwd })
  t.same(
    stdout
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as unknown), // lines as they stand in the file
    [1, 3, 6].map(index => recorded[index]),
  )
})

t.test('what cannot be meant is refused with exit code 2, what cannot be read with 1, with a cure', async t => {
  const refused: readonly (readonly [asked: FilterArguments, message: RegExp, cure: RegExp])[] = [
    [{ since: 'yesterday' }, /"yesterday" is no time/, /8 h/],
    [{ since: '2026-02-30' }, /is no time/, /8 h/],
    [{ until: '2026-11-28T25:00' }, /is no time/, /8 h/],
    [{ since: '2026-11-28', until: '2026-11-28' }, /not before --until/, /8 h/],
    [{ address: '10.0.0.0/33' }, /is no address/, /10\.1\.0\.0\/16/],
    [{ address: 'localhost' }, /is no address/, /10\.1\.0\.0\/16/],
  ]
  for (const [asked, message, cure] of refused)
    t.throws(() => createFilter(asked, day), { exitCode: 2, message, cure }, JSON.stringify(asked))
  const cwd = await writeTrail(t)
  const cases: readonly (readonly [args: readonly string[], exitCode: number, told: RegExp])[] = [
    [['search', '--kind', 'logon'], 2, /"logon".*\n.*kinds: login, logout, /],
    [['tail', '-n', 'x'], 2, /how many/],
    [['tail', '--file', 'elsewhere'], 1, /there is no audit trail: no elsewhere\n.*--config FILE/],
    [['search', '--file', 'state'], 1, /state is no file/],
  ]
  await twoAtATime(cases, async ([args, code, told]) => {
    const { exitCode, stdout, stderr } = await runCommand(['audit', ...args], { cwd })
    t.same([exitCode, stdout], [code, ''], args.join(' '))
    t.match(stderr, told)
  })
})

t.test('a line that was cut is shown as that, and costs no other; older files are spoken of', async t => {
  const cwd = await writeTrail(t, '{"time":"2026-11-28T07:00')
  writeFileSync(join(cwd, 'state', 'audit.jsonl.1'), `${JSON.stringify({ time: '', id: 'e9', kind: 'stop' })}\n`)
  const tail = await runCommand(['audit', 'tail', '-n', '2'], { cwd })
  t.match(tail.stdout, /\[e6\]\n\(not a whole line: \{"time":"2026-11-28T07:00\)\n$/)
  const { stdout, stderr } = await runCommand(['audit', 'search', '--kind', 'login', '--kind', 'stop'], { cwd })
  t.same(idsIn(stdout), ['e1'])
  t.match(stderr, /a line is not whole.*\n.*older events are in state\/audit\.jsonl\.1: --file FILE/)
  const piped = await runCommand(['audit', 'search', '--file', '-', '--kind', 'study'], {
    cwd,
    input: `${'x'.repeat(3_000_000)}\n${JSON.stringify({ time: '', id: 'e8', kind: 'study', where })}`,
  })
  t.same(idsIn(piped.stdout), ['e8'], 'a line that is too long is passed over, and the last one needs no end')
})

t.test('tail reads a large file from its end', async t => {
  const cwd = await writeTrail(t)
  const file = join(cwd, 'state', 'audit.jsonl')
  // Nothing is on the disk for what was never written; whoever read it all would see 4 GB of zeros.
  truncateSync(file, 4 * 1024 ** 3)
  const line = (index: number) =>
    JSON.stringify({ time: '', id: `e${index}`, kind: 'study', detail: 'é'.repeat(5_000) })
  appendFileSync(file, `\n${Array.from({ length: 30 }, (_, index) => line(index % 10)).join('\n')}\n`)
  await using handle = await open(file, 'r')
  const start = await startOfLast(handle, 15, true)
  t.same(await Array.fromAsync(linesOf(handle, start)), [
    ...Array.from({ length: 15 }, (_, index) => line((index + 15) % 10)),
  ])
})

t.test('tail shows as many lines as it is asked for, and holds none of them', async t => {
  const cwd = await writeTrail(t)
  const file = join(cwd, 'state', 'audit.jsonl')
  // More than one text of Node can be.
  truncateSync(file, 560 * 1024 ** 2)
  const line = (id: string) => JSON.stringify({ time: '', id, kind: 'stop' })
  appendFileSync(file, `\n${line('e7')}\n${line('e8')}`)
  const tail = async (count: number) => {
    await using handle = await open(file, 'r')
    const lines = linesOf(handle, await startOfLast(handle, count, true))
    return (await Array.fromAsync(lines, text => /"id":"(e\d)"/.exec(text)?.[1])).join(' ')
  }
  t.equal(await tail(2), 'e7 e8', 'the last one needs no end')
  t.equal(await tail(1), 'e8')
  t.equal(await tail(1000), 'e0 e1 e2 e3 e4 e5 e6  e7 e8', 'and what is too long for a line is no event')
})

t.test('a pipe that nobody writes to is no trail', async t => {
  const cwd = t.testdir()
  execFileSync('mkfifo', [join(cwd, 'pipe')])
  t.match(await runCommand(['audit', 'tail', '--file', 'pipe'], { cwd }), { exitCode: 1, stderr: /pipe is no file/ })
})

t.test('tail --follow shows each new event, over a rotation, and ends with its reader', async t => {
  const cwd = await writeTrail(t)
  const file = join(cwd, 'state', 'audit.jsonl')
  const alarm = (cause: unknown) => t.fail('the trail cannot be written', { cause })
  await using log = await openAuditLog({ file, onFailure: 'refuse', now: () => day, alarm })
  const tail = startCommand(t, ['audit', 'tail', '-n', '1', '--follow'], { cwd })
  await tail.shows(/\[e6\]\n/)
  await log.record('f1', { kind: 'stop' })
  await tail.shows(/stop +\[f1\]\n/)
  renameSync(file, `${file}.1`)
  appendFileSync(`${file}.1`, `${JSON.stringify({ time: '', id: 'f2', kind: 'stop' })}\n`)
  await log.record('f3', { kind: 'start' })
  await tail.shows(/start +\[f3\]\n/)
  truncateSync(file, 0)
  await new Promise(resolve => setTimeout(resolve, 600))
  appendFileSync(file, `${JSON.stringify({ time: '', id: 'f4', kind: 'stop' })}\n`)
  await tail.shows(/\[f4\]\n/)
  t.same(
    [...tail.stdout().matchAll(/\[(\w\d)\]/g)].map(([, id]) => id),
    ['e6', 'f1', 'f2', 'f3', 'f4'],
  )
})
