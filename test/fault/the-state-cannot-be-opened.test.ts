// The database of the state is none any more, may not be written, or lies on a folder that is read-only: the gateway says so
// and does not start, and touches nothing of it. Given back, it starts, and whoever was signed in still is.
import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { signIn } from '../cli/signed-in.ts'
import { runCommand } from '../fixture/command.ts'
import { requireMounts, requireReal } from '../fixture/real.ts'
import { askSite, makeSite, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'

interface Case {
  readonly takeAway: (file: string) => void
  /** What stands before the command. */
  readonly under: string
  readonly says: RegExp
}

t.test('a state that cannot be opened', async t => {
  if (!requireReal(t, ['setpriv']) || !requireMounts(t)) return
  const upstream = await startUpstream(t)
  const site = await makeSite(t, {
    accounts: { alice: { password: 'alice-password' } },
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]`,
  })
  const state = join(site.dir, 'state')
  const first = await serveSite(t, site)
  const cookie = await signIn(site, first, 'alice', 'alice-password')
  first.signal('SIGTERM')
  t.equal((await first.ended).exitCode, 0)
  const kept = join(site.dir, 'kept')
  const giveBack = () => {
    rmSync(state, { recursive: true })
    cpSync(kept, state, { recursive: true, preserveTimestamps: true })
  }
  cpSync(state, kept, { recursive: true, preserveTimestamps: true })

  const readOnly = `mount --bind '${state}' '${state}' && mount -o remount,ro,bind '${state}' && exec "$@"`
  const cases: Readonly<Record<string, Case>> = {
    'it is no database': {
      takeAway: file => writeFileSync(file, 'not what it was '.repeat(1_000)),
      under: '',
      says: /sallyport\.db.*file is not a database/,
    },
    'it may not be written': {
      takeAway: file => chmodSync(file, 0o400),
      // Root writes where it may not: it has to give that right away first.
      under: 'setpriv --inh-caps=-all --bounding-set=-dac_override,-dac_read_search --',
      says: /sallyport\.db.*EACCES: permission denied/,
    },
    'its folder is read-only': {
      takeAway: () => undefined,
      under: `unshare -m sh -c '${readOnly.replaceAll("'", `'"'"'`)}' sh`,
      says: /EROFS: read-only file system/,
    },
  }
  const bytesOf = () =>
    readdirSync(state).map(name => [name, statSync(join(state, name)).mode, readFileSync(join(state, name), 'base64')])
  for (const [name, { takeAway, under, says }] of Object.entries(cases)) {
    giveBack()
    takeAway(join(state, 'sallyport.db'))
    const before = bytesOf()
    const node = join(site.dir, 'node-under')
    writeFileSync(node, `#!/bin/sh\nexec ${under} '${process.execPath}' "$@"\n`, { mode: 0o700 })
    const { exitCode, stdout, stderr } = await runCommand(['serve', '--config', site.file], { cwd: site.dir, node })
    t.match({ exitCode, stdout, stderr }, { exitCode: 1, stdout: '', stderr: says }, `${name}: it does not start`)
    t.notMatch(stderr, /^\s+at /m, `${name}: said in one line`)
    t.same(bytesOf(), before, `${name}: nothing is overwritten`)
  }

  giveBack()
  // As a crash of the machine may leave it; SQLite heeds only what adds up.
  writeFileSync(join(state, 'sallyport.db-wal'), 'not a journal '.repeat(1_000))
  const again = await serveSite(t, site)
  const statusOf = async (proof: string) =>
    (await askSite(site, again, '/x', { headers: { cookie: proof } })).resume().statusCode
  t.equal(await statusOf(cookie), 200, 'given back, with a journal that is rubbish: still signed in')
  const later = await signIn(site, again, 'alice', 'alice-password')

  writeFileSync(join(state, 'sallyport.db'), 'not what it was '.repeat(1_000))
  t.match(await statusOf(later), /^(200|503)$/, 'overwritten while it runs: what it knows, or 503')
  again.signal('SIGTERM')
  const { exitCode, stderr } = await again.ended
  t.equal(exitCode, 0)
  t.notMatch(stderr, /a bug:|"fault":"bug"/)
})
