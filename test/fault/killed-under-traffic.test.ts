// SIGKILL in the middle of traffic, twice on the same state: whoever was signed in still is, no account and no entry of the
// ledger is lost, a download that was cut shows it, and nothing has to be repaired by hand.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { issueClient } from '../../src/issuer/leaf.ts'
import { openLedger } from '../../src/issuer/ledger.ts'
import { signIn, textOf } from '../cli/signed-in.ts'
import { askSite, makeSite, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { json, trickle } from '../fixture/upstream-answers.ts'

t.test('sessions, accounts, ledger and trail outlive it', async t => {
  const upstream = await startUpstream(t, ({ target }) =>
    target === '/long' ? trickle('x'.repeat(1_000), 50) : json({ all: 'well' }),
  )
  const site = await makeSite(t, {
    accounts: { alice: { password: 'alice-password' } },
    yaml: `
upstreams: { app: { kind: orthanc, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]`,
  })
  const file = join(site.dir, 'state', 'sallyport.db')
  const cookies: string[] = []
  const serials: string[] = []
  let served = await serveSite(t, site)
  for (const round of [1, 2]) {
    const cookie = await signIn(site, served, 'alice', 'alice-password')
    cookies.push(cookie)
    const long = await askSite(site, served, '/long', { headers: { cookie } })
    const cut = textOf(long).then(
      () => 'whole',
      () => 'cut',
    )
    let isOver = false
    // Whoever was told of a session, or of a certificate, has it.
    const traffic = [
      ...Array.from({ length: 3 }, async () => {
        while (!isOver) cookies.push(await signIn(site, served, 'alice', 'alice-password'))
      }),
      (async () => {
        for (let study = 0; !isOver; study++)
          (await askSite(site, served, `/studies/1.${round}.${study}`, { headers: { cookie } })).resume()
      })(),
      (async () => {
        using ledger = openLedger(file)
        while (!isOver) serials.push((await issueClient(site.authority.authority, ledger, { name: 'bob' })).serial)
      })(),
    ].map(work => work.catch(() => undefined)) // the process goes away under it
    await pause(400)
    served.signal('SIGKILL')
    t.match(await served.ended, { signal: 'SIGKILL' })
    isOver = true
    await Promise.all(traffic)
    t.equal(await cut, 'cut')

    served = await serveSite(t, site)
    // A person has twenty sessions at most, and the first ones make room.
    const living = [cookie, ...cookies.slice(-15)]
    for (const [at, proof] of living.entries()) {
      const answer = await askSite(site, served, '/x', { headers: { cookie: proof } })
      if (answer.resume().statusCode !== 200) t.fail(`round ${round}: session ${at} of ${cookies.length} is lost`)
    }
    using database = new DatabaseSync(file, { readOnly: true })
    t.match(database.prepare('pragma integrity_check').get(), { integrity_check: 'ok' })
    using ledger = openLedger(file)
    const listed = new Set(ledger.list().map(({ serial }) => serial))
    t.same(
      serials.filter(serial => !listed.has(serial)),
      [],
      `all of ${serials.length} certificates`,
    )
  }
  t.ok(await signIn(site, served, 'alice', 'alice-password'), 'the account is there')
  const lines = readFileSync(join(site.dir, 'state', 'audit.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
  const kinds = lines.map(line => (JSON.parse(line) as { kind: string }).kind) // our own lines have one
  t.equal(kinds.filter(kind => kind === 'start').length, 3, 'each start is told, and every line is whole')
  t.ok(kinds.includes('study'))
})
