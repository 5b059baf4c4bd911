// The benchmark itself: what it measures was really answered, and what was not is a failure and never a figure.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { requireReal } from '../fixture/real.ts'
import { slapdTools } from '../fixture/slapd.ts'
import { chart } from './chart.ts'
import { compare } from './compare.ts'
import { framePath, layGround } from './ground.ts'
import { http2, LoadFailure } from './load.ts'
import { type Cell, measure, median } from './matrix.ts'
import { allTargets, readOptions, readSubject, UsageError } from './options.ts'
import { cpuWatch, memoryOf } from './processes.ts'
import { cellText, markdown } from './report.ts'
import { scenarios } from './scenarios.ts'
import { type StudyResult, studyMarkdown } from './study/report.ts'
import { startSlowLine } from './study/slow-line.ts'
import { httpProxy } from './targets/http-proxy.ts'
import { nginx } from './targets/nginx.ts'
import { sallyport } from './targets/sallyport.ts'
import type { Target } from './targets/target.ts'
import { costs, watched } from './telemetry.ts'

const tools = ['nginx', 'h2load', 'curl', 'taskset', ...slapdTools]
t.jobs = 4

t.test('a short run measures real answers of every gateway, and writes table, figures and chart', async t => {
  if (!requireReal(t, tools)) return
  const out = mkdtempSync(join(tmpdir(), 'sallyport-bench-out-'))
  t.teardown(() => rmSync(out, { recursive: true, force: true }))
  const only = new Set(['h1-1k certificate', 'upload-h1 off', 'h2-1k session', 'h2-cached off'])
  const cells = await compare(
    t,
    {
      ...{ targets: [nginx, sallyport(), httpProxy], workers: [1], repetitions: 1, seconds: 0.25, quick: true, out },
      chosen: (scenario, auth) => only.has(`${scenario} ${auth}`),
    },
    line => t.comment(line),
  )
  t.equal(cells.length, 12, 'four works, three gateways')
  for (const { target, scenario, failure, why, rounds, value = 0, ratio = 0, cpuRatio = 0 } of cells) {
    const name = `${target}, ${scenario}`
    t.equal(failure, undefined, name)
    if (target === 'http-proxy' && scenario.startsWith('h2')) t.equal(why, 'HTTP/1.1 only')
    else {
      t.ok(rounds.every(({ answers, cpu = 0 }) => answers > 0 && cpu > 0) && rounds.length === 1, name)
      t.ok(value > 0 && ratio > 0 && cpuRatio > 0, `${name}: ${value} ${ratio} ${cpuRatio}`)
    }
  }
  const written = JSON.parse(readFileSync(join(out, 'bench.json'), 'utf8')) as { cells: Cell[] } // it wrote them
  t.same(written.cells, cells)
  const table = readFileSync(join(out, 'bench.md'), 'utf8')
  t.match(
    table,
    /^\| 1 KB JSON, HTTP\/2 \(req\/s\) \| [\d,.]+ ×1\.00 cpu ×1\.00 \| [\d,.]+ ×[\d.]+ cpu ×[\d.]+ \| – \|/m,
  )
  t.match(readFileSync(join(out, 'bench.svg'), 'utf8'), />50 MB upload, HTTP\/1.1</)
})

t.test('every gateway is measured, with two workers too: by Basic, in handshakes, at a fixed rate', async t => {
  if (!requireReal(t, [...tools, 'wrk', 'haproxy', 'apache2', 'caddy'])) return
  const out = mkdtempSync(join(tmpdir(), 'sallyport-bench-out-'))
  t.teardown(() => rmSync(out, { recursive: true, force: true }))
  const only = new Set(['h1-1k basic', 'handshake-full off', 'p99 off'])
  const cells = await compare(
    t,
    {
      ...{ targets: allTargets, workers: [2], repetitions: 1, seconds: 0.25, quick: true, out },
      chosen: (scenario, auth) => only.has(`${scenario} ${auth}`),
    },
    line => t.comment(line),
  )
  const measured = cells.filter(({ why }) => why === undefined)
  for (const { target, scenario, failure, value = 0, ratio = 0 } of measured)
    t.ok(failure === undefined && value > 0 && ratio > 0, `${target}, ${scenario}: ${failure ?? `${value} ×${ratio}`}`)
  t.same(
    measured.filter(({ auth }) => auth === 'basic').map(({ target }) => target),
    ['nginx', 'sallyport', 'apache', 'caddy', 'nginx-open'],
  )
  t.equal(measured.filter(({ auth }) => auth === 'off').length, 12, 'the others can do all that, and so can we')
})

t.test('what access line and metrics cost is measured within one process', async t => {
  const phase = (isOn: boolean, cpu: number, exchanges = 100) => ({ isOn, exchanges, cpu })
  const phases = [
    phase(true, 11),
    phase(false, 10),
    phase(false, 20),
    phase(true, 22),
    phase(true, 1, 2),
    phase(false, 9),
  ]
  t.match(costs(phases), { pairs: 2, on: Number, off: Number })
  t.ok(Math.abs(costs(phases).share - 0.1) < 1e-9)
  if (!requireReal(t, tools)) return
  const out = mkdtempSync(join(tmpdir(), 'sallyport-bench-out-'))
  t.teardown(() => rmSync(out, { recursive: true, force: true }))
  const [ground, { scenario, auth }] = [await layGround(t, { directory: false }), readSubject('h2-1k', 'watch')]
  const underWay = 200 // what h2load asks at one time at the most, and did not wait for
  const terms = { ground, scenario, auth, seconds: 3, file: join(out, 'phases') }
  const { phases: seen, running, answers } = await watched(t, terms)
  const unseen = seen.reduce((sum, { isOn, exchanges }) => sum + (isOn ? 0 : exchanges), 0)
  t.ok(unseen > 0, 'much was done while it was off')
  await pause(500)
  const lines = running.log().split('"msg":"exchange"').length - 1
  t.ok(
    lines > 0 && lines <= answers + underWay - unseen,
    `${lines} lines, ${unseen} exchanges without, ${answers} answers`,
  )
})

t.test('who is not let in is a failure, and no throughput', async t => {
  if (!requireReal(t, tools)) return
  const ground = await layGround(t, { directory: false })
  const genuine = sallyport()
  const running = await genuine.start(t, ground, { auth: 'session', workers: 1 })
  const broken = { ...running, headers: { cookie: '__Host-sallyport=wrong' } }
  const wrongCookie: Target = { ...genuine, start: async () => broken }
  const scenario = scenarios.find(({ name }) => name === 'h2-1k')
  if (scenario === undefined) throw new Error('h2-1k is a scenario')
  const job = { auth: 'session', workers: 1 } as const
  const plan = { ground, scenario, job, targets: [wrongCookie], repetitions: 1, seconds: 0.25, patient: false }
  const [cell] = await measure(plan)
  t.match(cell, { rounds: [], failure: /answered with 401/ })
  t.equal(cell?.value, undefined)
  t.match(markdown({ machine: {}, repetitions: 1, seconds: 1, cells: [cell as Cell] }), '**FAILED** sallyport, h2-1k')

  const aim = { ground, workers: 1, seconds: 0.25, certificate: false }
  await t.rejects(http2({ ...aim, running: broken }, '/1k'), LoadFailure, 'the load generator notices it by itself')
  t.match(await http2({ ...aim, running }, '/1k'), { answers: Number })
})

t.test('a frame from the cache is one', async t => {
  if (!requireReal(t, tools)) return
  const ground = await layGround(t, { directory: false })
  const running = await sallyport().start(t, ground, { auth: 'off', workers: 1 })
  const aim = { ground, running, workers: 1, seconds: 0.25, certificate: false }
  await http2(aim, framePath)
  // Lines are written in batches.
  await pause(500)
  t.match(running.log(), /"cache":"hit"/)
})

t.test('a gateway that is not installed is named', async t => {
  const absent: Target = { ...nginx, name: 'absent', packages: { absent: '/usr/sbin/absent' } }
  const [scenario] = scenarios
  if (scenario === undefined) throw new Error('there are scenarios')
  const ground = { pids: [] } as unknown as Parameters<typeof measure>[0]['ground'] // nothing of it is used
  const job = { auth: 'off', workers: 1 } as const
  const [cell] = await measure({ ground, scenario, job, targets: [absent], repetitions: 1, seconds: 1, patient: false })
  t.match(cell, { why: 'not installed: absent', rounds: [] })
})

t.test('CPU and memory are those of the process and its children', async t => {
  const spent = cpuWatch([process.pid])
  const end = performance.now() + 100
  while (performance.now() < end);
  t.ok(spent() > 0.01, 'of a busy process')
  const { pss, rss } = memoryOf([process.pid])
  t.ok(pss > 10 && rss >= pss, `${pss} of ${rss} MB`)
})

t.test('a median of an even number is the mean of the two in the middle', async t => {
  t.same([[], [3], [4, 1], [9, 1, 2], [8, 1, 2, 4]].map(median), [undefined, 3, 2.5, 2, 3])
})

t.test('the command line is read, and refused by name', async t => {
  const { targets, workers, chosen, seconds } = readOptions([
    '--quick',
    '--only',
    'h1-1k:session,p99',
    '--targets',
    'nginx',
  ])
  t.same(
    targets.map(({ name }) => name),
    ['nginx'],
  )
  t.same({ workers, seconds }, { workers: [1], seconds: 1 })
  t.same([chosen('h1-1k', 'session'), chosen('h1-1k', 'off'), chosen('p99', 'off')], [true, false, true])
  for (const [args, message] of [
    [['--only', 'h3-1k'], /"h3-1k" is no scenario; there are: h1-1k/],
    [['--targets', 'iis'], /"iis" is no target; there are: nginx/],
    [['--seconds', '0'], /write a number above 0/],
    [['dance'], /"dance" is no command/],
    [['--fast'], /--fast/],
  ] as const) {
    t.throws(() => readOptions(args), { name: UsageError.name, message })
  }
  t.equal(new Set(allTargets.map(({ name }) => name)).size, allTargets.length)
})

t.test('the table and the chart say what is missing', async t => {
  const place = { scenario: 'p99', unit: 'ms', auth: 'off', workers: 1, rounds: [] } as const
  const round = { value: 2, cpu: 0.001, answers: 9, strangers: 0 }
  const cells: Cell[] = [
    { ...place, target: 'nginx', rounds: [round], value: 2, ratio: 1, cpuRatio: 1, spread: 0.1 },
    { ...place, target: 'sallyport', rounds: [round], value: 4, ratio: 0.5, cpuRatio: 0.8, spread: 0.1 },
    { ...place, target: 'haproxy', why: 'not installed: haproxy' },
    { ...place, target: 'apache', failure: 'answered 502' },
  ]
  t.same(cells.map(cellText), ['2.00 ×1.00 cpu ×1.00', '4.00 ×0.50 cpu ×0.80', '–', 'FAILED'])
  const text = markdown({ machine: {}, repetitions: 1, seconds: 1, cells })
  t.match(text, '- haproxy: not installed: haproxy')
  t.match(text, '- **FAILED** apache, p99: `answered 502`')
  t.match(chart(cells), '>0.50</text>')
})

t.test('a slow line has its rate for all connections together, and its delay', async t => {
  const bytes = randomBytes(100_000)
  const server = createServer(socket => void socket.once('data', () => socket.end(bytes))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo // a TCP server has one
  const line = await startSlowLine(t, { port, megabitsPerSecond: 8, roundTrip: 60 })
  const get = async () => {
    const socket = connect(line, '127.0.0.1')
    socket.write('give')
    return Buffer.concat(await Array.fromAsync(socket as AsyncIterable<Buffer>)) // no encoding is set
  }
  const startedAt = performance.now()
  const got = await Promise.all([get(), get()])
  const took = performance.now() - startedAt
  t.ok(
    got.every(one => one.equals(bytes)),
    'nothing is lost',
  )
  t.ok(took >= 200 + 60, `200 KB at 1 MB a second: ${took} ms`)
})

t.test('the table of the study compares with nginx in the same repetition', async t => {
  const run = (way: string, seconds: number): StudyResult => ({
    ...{ client: 'DICOMweb', way, seconds, stall: seconds / 4, megabytes: 105, codings: ['gzip'] },
    ...{ gatewayCpu: 0.1, orthancCpu: 0.2, strangers: 0 },
  })
  const results = [
    run('nginx', 1),
    run('sallyport', 2),
    run('nginx', 4),
    run('sallyport', 2),
    run('nginx', 3),
    run('sallyport', 2),
  ]
  const line = { megabitsPerSecond: 100, roundTrip: 20 }
  const text = studyMarkdown({
    machine: {},
    slices: 2,
    size: 64,
    repetitions: 3,
    line,
    skipped: { disk: 'not built' },
    results,
  })
  t.match(text, '| sallyport | 0.50 | 2.00 | ×1.50 | 105.0 | gzip | 0.10 | 0.20 |')
  t.match(text, '| nginx | 0.75 (0.25–1.00) | 3.00 (1.00–4.00) | ×1.00 |')
  t.match(text, '- disk: not measured, not built')
})
