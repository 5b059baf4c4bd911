// Lines are written together, and all the same none is late, and none is lost with a process that has a bug.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'

const log = new URL('../../src/telemetry/log.ts', import.meta.url).href

/** A process that logs. @param then  what it does after it has logged `lines` */
async function logging(t: Test, lines: number, then: string) {
  const text = `
    import { createLog } from ${JSON.stringify(log)}
    const { log } = createLog({ level: 'info', format: 'json' })
    for (let at = 0; at < ${lines}; at++) log.info({ at, note: 'é"' }, 'exchange')
    ${then}`
  const { NODE_OPTIONS: _, ...env } = process.env
  const child = spawn(process.execPath, ['--input-type=module', '--eval', text], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  })
  t.teardown(() => child.kill())
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', part => {
    stderr += part
  })
  const written = () =>
    stderr
      .split('\n')
      .filter(line => line.startsWith('{'))
      .map(line => JSON.parse(line) as Record<string, unknown>) // what pino wrote
  return { child, written }
}

t.test('a line whose fields are text already is like all others', async t => {
  for (const [level, lines] of [
    ['debug', 2],
    ['info', 2],
    ['warn', 0],
  ] as const) {
    const { child, written } = await logging(
      t,
      0,
      `const more = createLog({ level: '${level}', format: 'json' }, 3)
      more.log.info({ a: 1, b: 'c' }, 'exchange')
      more.log.infoText?.('"a":1,"b":"c"', 'exchange')
      more.flush()`,
    )
    await once(child, 'close')
    const [one, other] = written()
    t.equal(written().length, lines, level)
    t.same({ ...other, time: undefined }, { ...one, time: undefined })
    t.same(Object.keys(other ?? {}), Object.keys(one ?? {}), 'in the same order')
  }
})

t.test('what was logged just before a bug is written', { jobs: 2 }, async t => {
  t.test('all of it, in its order', async t => {
    const { child, written } = await logging(t, 1_000, `throw new Error('a bug')`)
    await once(child, 'close')
    t.equal(child.exitCode, 1)
    t.same(
      written().map(({ at }) => at),
      Array.from({ length: 1_000 }, (_, at) => at),
    )
    t.match(written()[0], { level: 30, at: 0, note: 'é"', msg: 'exchange' })
    t.match(written()[0]?.['time'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  })
  t.test('and a single line waits for no others', async t => {
    const { child, written } = await logging(t, 1, 'setInterval(() => undefined, 1000)')
    await once(child.stderr, 'data')
    t.equal(written().length, 1, 'while the process runs on')
  })
})
