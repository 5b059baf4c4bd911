import t from 'tap'
import { askSite, makeSite, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { json } from '../fixture/upstream-answers.ts'

t.test('x', async t => {
  const upstream = await startUpstream(t, () => json({ all: 'well' }))
  const site = await makeSite(t, {
    accounts: { alice: { password: 'alice-password' } },
    yaml: `
workers: 2
admin: { bind: 127.0.0.1:0 }
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const began = performance.now()
  const served = await serveSite(t, site)
  t.comment(performance.now() - began)
  for (let i = 0; i < 4; i++) t.equal((await askSite(site, served, '/x')).resume().statusCode, 200)
  const [, admin] = await served.shows(/listening (http:\S+) \(admin\)/)
  t.comment(await (await fetch(`${admin}/readyz`)).text())
  t.comment(
    (await (await fetch(`${admin}/metrics`)).text())
      .split('\n')
      .filter(l => /sallyport_(work|exch|conn)/.test(l) && !/bucket/.test(l))
      .join('\n'),
  )
  served.signal('SIGHUP')
  await served.shows(/read again, and is at work/)
  served.signal('SIGTERM')
  const { exitCode, stderr, stdout } = await served.ended
  t.equal(exitCode, 0, stdout + stderr)
})
