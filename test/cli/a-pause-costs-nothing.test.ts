// What a gateway has grown to stays through a pause: V8 does not collect, and shrink, as soon as nobody asks for eight seconds.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { program, runCommand, startCommand } from '../fixture/command.ts'
import { makeSite } from '../fixture/site.ts'

/** In each process: a line for each collection of the whole heap, to the file that the environment names. */
const tell = `
import { appendFileSync } from 'node:fs'
import { constants, PerformanceObserver } from 'node:perf_hooks'
new PerformanceObserver(list => {
  for (const { detail } of list.getEntries())
    if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) appendFileSync(process.env.COLLECTIONS, process.pid + '\\n')
}).observe({ entryTypes: ['gc'] })`

t.jobs = 2
for (const workers of [1, 2])
  t.test(`ten seconds without work, of ${workers}`, async t => {
    const site = await makeSite(t, {
      yaml: `
upstreams: { app: { kind: generic, url: "http://127.0.0.1:9" } }
routes: [{ path: /, upstream: app, access: everyone }]
workers: ${workers}`,
    })
    const file = join(site.dir, 'collections')
    writeFileSync(file, '')
    const collected = () => readFileSync(file, 'utf8').split('\n').slice(0, -1)
    const running = startCommand(t, [program, 'serve', '--config', site.file], {
      cwd: site.dir,
      file: `--import=data:text/javascript,${encodeURIComponent(tell)}`,
      env: { COLLECTIONS: file },
    })
    await running.shows(/^listening https:/m)
    // We collect once ourselves what reading programs and configuration has left.
    await pause(5_000)
    const before = collected()
    t.ok(new Set(before).size >= workers, 'each process that serves has told')
    await pause(10_000)
    t.same(collected().slice(before.length), [])
  })

t.test('V8 knows the word for it', async t => {
  t.match(await runCommand(['--help']), { exitCode: 0, stderr: '' })
})
