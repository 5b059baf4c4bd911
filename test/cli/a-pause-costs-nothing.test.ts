// What a gateway has grown to stays through a pause: V8 does not collect, and shrink, as soon as nobody asks for eight seconds.
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { program, runCommand, startCommand } from '../fixture/command.ts'
import { makeSite } from '../fixture/site.ts'

t.test('ten seconds without work', async t => {
  const site = await makeSite(t, {
    yaml: `upstreams: { app: { kind: generic, url: "http://127.0.0.1:9" } }\nroutes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const running = startCommand(t, [program, 'serve', '--config', site.file], { cwd: site.dir, file: '--trace-gc' })
  await running.shows(/^listening https:/m)
  const times = () => running.stdout().match(/Mark-Compact/g)?.length ?? 0
  // We collect once ourselves what reading programs and configuration has left.
  await running.shows(/Mark-Compact \(reduce\)/)
  await pause(1_000)
  const before = times()
  await pause(10_000)
  t.equal(times(), before)
})

t.test('V8 knows the word for it', async t => {
  t.match(await runCommand(['--help']), { exitCode: 0, stderr: '' })
})
