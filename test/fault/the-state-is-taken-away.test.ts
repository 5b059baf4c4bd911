// Somebody removes the database of the state under a gateway that runs: it goes on with what it holds open, and begins anew at
// the next start; accounts of the file and the configuration are not touched by it.
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { signIn } from '../cli/signed-in.ts'
import { askSite, makeSite, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'

t.test('the database is removed while the gateway runs', async t => {
  const upstream = await startUpstream(t)
  const site = await makeSite(t, {
    accounts: { alice: { password: 'alice-password' } },
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]`,
  })
  const served = await serveSite(t, site)
  const cookie = await signIn(site, served, 'alice', 'alice-password')
  const state = join(site.dir, 'state')
  for (const name of readdirSync(state)) if (name.startsWith('sallyport.db')) rmSync(join(state, name))

  const later = await signIn(site, served, 'alice', 'alice-password')
  const statusOf = async (at: { port: number }, proof: string) =>
    (await askSite(site, at, '/x', { headers: { cookie: proof } })).resume().statusCode
  t.equal(await statusOf(served, cookie), 200, 'signed in before')
  t.equal(await statusOf(served, later), 200, 'a new sign-in')
  served.signal('SIGTERM')
  t.equal((await served.ended).exitCode, 0)

  const again = await serveSite(t, site)
  t.equal(await statusOf(again, cookie), 401, 'sessions went with the file')
  t.equal(await statusOf(again, await signIn(site, again, 'alice', 'alice-password')), 200)
})
