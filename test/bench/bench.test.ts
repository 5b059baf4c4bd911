// The benchmark itself: what it measures was really answered, and what was not is a failure and never a figure.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { requireReal } from '../fixture/real.ts'
import { slapdTools } from '../fixture/slapd.ts'
import { chart } from './chart.ts'
import { compare } from './compare.ts'
import { layGround } from './ground.ts'
import { http2, LoadFailure } from './load.ts'
import { type Cell, measure } from './matrix.ts'
import { allTargets, readOptions, UsageError } from './options.ts'
import { cpuWatch, memoryOf } from './processes.ts'
import { cellText, markdown } from './report.ts'
import { scenarios } from './scenarios.ts'
import { httpProxy } from './targets/http-proxy.ts'
import { nginx } from './targets/nginx.ts'
import { sallyport } from './targets/sallyport.ts'
import type { Target } from './targets/target.ts'

const tools = ['nginx', 'h2load', 'curl', 'taskset', ...slapdTools]
t.jobs = 4

t.test('a short run measures real answers of every gateway, and writes table, figures and chart', async t => {
  if (!requireReal(t, tools)) return
  const out = mkdtempSync(join(tmpdir(), 'sallyport-bench-out-'))
  t.teardown(() => rmSync(out, { recursive: true, force: true }))
  const only = new Set(['h1-1k certificate', 'upload-h1 off', 'h2-1k session'])
  const cells = await compare(
    t,
    {
      ...{ targets: [nginx, sallyport(), httpProxy], workers: [1], repetitions: 1, seconds: 0.25, quick: true, out },
      chosen: (scenario, auth) => only.has(`${scenario} ${auth}`),
    },
    line => t.comment(line),
  )
  t.equal(cells.length, 9, 'three works, three gateways')
  for (const { target, scenario, failure, why, rounds, value = 0, ratio = 0, cpuRatio = 0 } of cells) {
    const name = `${target}, ${scenario}`
    t.equal(failure, undefined, name)
    if (target === 'http-proxy' && scenario === 'h2-1k') t.equal(why, 'HTTP/1.1 only')
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
