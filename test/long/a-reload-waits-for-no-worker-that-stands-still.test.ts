// A worker that stands still while all others go over is ended, and begins anew on what is at work.
import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { within } from '../behaviour/app.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { serveCrew } from '../workers/crew-site.ts'

t.test('it is ended, and its successor serves by the new rules', async t => {
  const upstream = await startUpstream(t)
  const served = await serveCrew(t, {
    yaml: `
workers: 2
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const { file } = served.site
  const [still = 0, other] = served.workers()
  process.kill(still, 'SIGSTOP')
  writeFileSync(file, readFileSync(file, 'utf8').replace('access: everyone', 'access: authenticated'))
  t.ok(await within(60_000, () => /"msg":"a worker did not follow a reload: it is ended"/.test(served.stderr())))
  t.ok(await within(20_000, () => /a worker has taken the place of the one that ended/.test(served.stderr())))
  t.match(served.stderr(), /is at work/)
  t.notOk(served.workers().includes(still))
  t.ok(served.workers().includes(other ?? 0))
  const lines = Array.from({ length: 4 }, () => served.line())
  for (const line of lines) t.equal((await line.ask('/x')).status, 401)
  for (const line of lines) line.close()
})
