// `sallyport users lock` is another process than the gateway: what the person has running ends all the same, within five
// seconds, whichever way they came in; and a stop says goodbye to who is left.
import t from 'tap'
import { signIn } from '../cli/signed-in.ts'
import { runCommand } from '../fixture/command.ts'
import { makeSite, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { respondToRunning, startRunning } from './all-running.ts'
import { within } from './app.ts'

const password = 'a pass-word'
/** Five seconds, and some more for a machine that is busy. */
const patience = 8_000

t.test('the gateway is told of nothing, and sees it', async t => {
  const upstream = await startUpstream(t, respondToRunning)
  const site = await makeSite(t, {
    accounts: { alice: { password }, bob: { password } },
    yaml: `
drain: 1 s
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]`,
  })
  const served = await serveSite(t, site)
  const place = { ...served, authority: site.authority }
  const start = async (name: string) => startRunning(t, place, { cookie: await signIn(site, served, name, password) })
  const [hers, his] = [await start('alice'), await start('bob')]
  const byBasic = await startRunning(t, place, { basic: `alice:${password}` })

  const locking = await runCommand(['users', 'lock', 'alice', '--config', site.file], { cwd: site.dir })
  t.match(locking, { exitCode: 0, stdout: /account alice is locked; one session ended/ })
  await hers.seeEnded(t, patience)
  t.same(hers.goodbye(), [1008, 'the session has ended'])
  await byBasic.seeEnded(t, patience)
  t.same(byBasic.goodbye(), [1008, 'the account has changed'])
  his.seeOpen(t)

  served.signal('SIGTERM')
  t.ok(await within(patience, () => his.goodbye() !== undefined))
  t.same(his.goodbye(), [1001, 'the gateway is stopping'])
  t.match(await served.ended, { exitCode: 0 })
  await his.seeEnded(t, patience)
})
