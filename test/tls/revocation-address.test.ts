/**
 * Lists fetched over HTTP, from servers that behave and from servers that do not; renewed, kept, given up.
 */
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { nextVisit } from '../../src/tls/revocation-address.ts'
import { type FetchTerms, fetchBytes, fetchTerms } from '../../src/tls/revocation-fetch.ts'
import { probeRevocation } from '../../src/tls/revocation-probe.ts'
import { labPkiTools, startLabPki } from '../fixture/lab-pki.ts'
import { requireReal } from '../fixture/real.ts'
import { derOf, revocationLabTools, startRevocationLab } from './revocation-lab.ts'
import { opened, until } from './revocation-opened.ts'

const day = 86_400_000
const short: FetchTerms = { connect: 500, answer: 150, pause: 150, whole: 400, bytes: 50_000, redirections: 3 }

async function serve(t: Pick<Test, 'teardown'>, answer: RequestListener) {
  const asked: { path: string | undefined; etag: string | undefined; since: string | undefined }[] = []
  const server = createServer((request, response) => {
    const { 'if-none-match': etag, 'if-modified-since': since } = request.headers
    asked.push({ path: request.url, etag, since })
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo // safe: it listens on a TCP port
  return {
    url: `http://127.0.0.1:${port}/ca.crl`,
    origin: `http://127.0.0.1:${port}`,
    asked,
    stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}

t.test('a fetch has an end, whatever the server does', async t => {
  const rows: Record<string, [answer: RequestListener, said: RegExp, terms?: Partial<FetchTerms>]> = {
    'an error': [(_, response) => response.writeHead(500).end('broken'), /answers with status 500$/],
    'not found': [(_, response) => response.writeHead(404).end('none'), /answers with status 404$/],
    'a partial answer': [(_, response) => response.writeHead(206).end('part'), /answers with status 206$/],
    'no answer': [() => undefined, /Headers Timeout/],
    'an answer that stops in the middle': [(_, response) => response.write('x'), /Body Timeout/],
    'an answer that drips': [
      (_, response) => {
        const drip = setInterval(() => response.write('x'), 20).unref()
        response.on('close', () => clearInterval(drip))
      },
      /did not come within 0\.4 s/,
      { whole: 400 },
    ],
    'an answer without end': [
      (_, response) => {
        const pour = () => {
          while (response.write('x'.repeat(16_384)));
        }
        response.on('drain', pour)
        pour()
      },
      /larger than 50000 bytes$/,
      { pause: 5_000 },
    ],
    'a length that is too large': [
      (_, response) => response.writeHead(200, { 'content-length': 50_001 }).flushHeaders(),
      /larger than 50000 bytes$/,
    ],
    'less than it promised': [
      (_, response) => {
        response.writeHead(200, { 'content-length': 100 }).write('x')
        setTimeout(() => response.destroy(), 20)
      },
      /does not match content-length/,
    ],
    'redirections in a loop': [
      (request, response) => response.writeHead(302, { location: request.url }).end(),
      /redirects more than 3 times$/,
    ],
    'a redirection to a file': [
      (_, response) => response.writeHead(301, { location: 'file:///etc/passwd' }).end(),
      /redirects to file:\/\/, which is not followed$/,
    ],
    'a redirection to nowhere': [(_, response) => response.writeHead(301).end(), /redirects to nowhere$/],
    'a reset': [request => request.socket.resetAndDestroy(), /ECONNRESET|other side closed/],
  }
  await Promise.all(
    Object.entries(rows).map(async ([name, [answer, said, terms]]) => {
      const { url } = await serve(t, answer)
      const from = performance.now()
      const fetched = await fetchBytes(url, { terms: { ...short, whole: 5_000, ...terms } })
      t.match(fetched, { kind: 'failed', why: said }, name)
      t.ok(performance.now() - from < 4_000, name)
    }),
  )
  const gone = await serve(t, () => undefined)
  gone.stop()
  t.match(await fetchBytes(gone.url, { terms: short }), { kind: 'failed', why: /ECONNREFUSED/ })
  t.match(await fetchBytes('http://nowhere.invalid/', { terms: short }), { kind: 'failed', why: /ENOTFOUND|EAI_AGAIN/ })
  t.ok(fetchTerms.bytes === 64 * 1024 ** 2 && fetchTerms.whole <= 120_000)
})

t.test('three redirections are followed, and what comes is what was sent', async t => {
  const { origin, asked } = await serve(t, (request, response) => {
    const hop = Number(request.url?.slice(1))
    if (hop < 3) response.writeHead(302 + (hop % 2), { location: `/${hop + 1}` }).end()
    else response.writeHead(200, { etag: '"7"' }).end(Buffer.of(0, 255, 13, 10))
  })
  const fetched = await fetchBytes(`${origin}/0`, { terms: { ...short, whole: 5_000 } })
  t.same(fetched, { kind: 'bytes', bytes: Buffer.of(0, 255, 13, 10), validators: { etag: '"7"' } })
  t.same(
    asked.map(({ path }) => path),
    ['/0', '/1', '/2', '/3'],
  )
})

t.test('over https a server is held against the authorities of the platform', async t => {
  if (!requireReal(t, labPkiTools)) return
  const pki = startLabPki(t)
  const server = createSecureServer(pki.server, (_, response) => response.end('list'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo // safe: it listens on a TCP port
  t.match(await fetchBytes(`https://localhost:${port}/`), {
    kind: 'failed',
    why: /unable to verify|UNABLE_TO_VERIFY_LEAF_SIGNATURE/,
  })
})

t.test('lists from addresses', async t => {
  if (!requireReal(t, revocationLabTools)) return
  const lab = startRevocationLab(t)
  const staff = lab.authority('Staff')
  const alice = staff.issue('0A11CE')
  const mallory = staff.issue('0BAD')
  const revoked = { '0BAD': 'keyCompromise' }
  const taken = { reason: 'keyCompromise' }
  const noList = { unknown: 'no-list' }

  await t.test('come as DER or PEM, beside files, before it is ready', async t => {
    for (const bytes of [staff.list({ revoked }), derOf(staff.list({ revoked }))]) {
      const { url } = await serve(t, (_, response) => response.end(bytes))
      const { revocation, changes, now } = opened(t, [{ url }, { file: join(lab.dir, 'none') }])
      t.same(revocation.check(alice, staff.certificate, now()), noList)
      await revocation.ready
      t.equal(revocation.check(alice, staff.certificate, now()), 'good')
      t.match(revocation.check(mallory, staff.certificate, now()), taken)
      t.equal(changes(), 1)
      t.match(revocation.state(), [{ source: url, entries: 1 }, { problem: /there is no file/ }])
    }
  })

  await t.test('are fetched again on their own, and only news are sent', async t => {
    let number = 1
    let list = staff.list({ number })
    const { url, asked } = await serve(t, (request, response) => {
      const etag = `"${number}"`
      if (request.headers['if-none-match'] === etag) response.writeHead(304).end()
      else response.writeHead(200, { etag, 'last-modified': 'Sun, 22 Nov 2026 10:00:00 GMT' }).end(list)
    })
    const { revocation, changes, said, now } = opened(t, [{ url }], { refresh: 30 })
    await revocation.ready
    t.equal(revocation.check(mallory, staff.certificate, now()), 'good')
    await until(
      t,
      () => asked.length > 3,
      () => asked,
    )
    t.equal(changes(), 1, 'nothing new, nothing changed')
    t.match(asked[2], { etag: '"1"', since: 'Sun, 22 Nov 2026 10:00:00 GMT' })
    number = 2
    list = staff.list({ number, revoked })
    await until(
      t,
      () => changes() === 2,
      () => said,
    )
    t.match(revocation.check(mallory, staff.certificate, now()), taken)
    t.equal(said.length, 2)
  })

  await t.test(
    'stay while the server fails, sends garbage, other lists or older ones, and that is said once',
    async t => {
      const good = staff.list({ number: 5, revoked })
      const older = staff.list({ number: 4 })
      const namesake = lab.authority('Staff')
      let answer: RequestListener = (_, response) => response.end(good)
      const { url, asked } = await serve(t, (request, response) => answer(request, response))
      const { revocation, said, now } = opened(t, [{ url }], { refresh: 20, fetching: short })
      await revocation.ready
      t.match(revocation.check(mallory, staff.certificate, now()), taken)
      const rows: [RequestListener, RegExp][] = [
        [(_, response) => response.writeHead(500).end(), /\(the server answers with status 500\)$/],
        [(_, response) => response.end('<html>sign in</html>'), /\(it is neither PEM nor DER\)$/],
        [() => undefined, /did not come within 0\.4 s/],
        [(_, response) => response.end(older), /is older than the one known before\)$/],
        [(_, response) => response.end(namesake.list({ number: 99 })), /did not sign it$/],
      ]
      for (const [bad, expected] of rows) {
        answer = bad
        const from = asked.length
        await until(
          t,
          () => asked.length > from + 2 && said.some(line => expected.test(line)),
          () => said,
        )
        t.match(revocation.check(mallory, staff.certificate, now()), taken, String(expected))
        t.equal(revocation.check(alice, staff.certificate, now()), 'good')
        if (expected.source.includes('older')) t.match(revocation.state(), [{ problem: /is older than/ }], 'still so')
      }
      t.equal(said.filter(line => line.includes('status 500')).length, 1)
      t.equal(said.filter(line => line.includes('all right again')).length, 1, 'only where the server gave a new list')
      answer = (_, response) => response.end(staff.list({ number: 6 }))
      await until(
        t,
        () => revocation.check(mallory, staff.certificate, now()) === 'good',
        () => said,
      )
    },
  )

  await t.test('are there after a restart while the server is down', async t => {
    const cacheDir = join(t.testdir(), 'kept')
    const bytes = derOf(staff.list({ number: 5, revoked, from: -1 }))
    const { url, stop } = await serve(t, (_, response) => response.end(bytes))
    const first = opened(t, [{ url }], { cacheDir })
    await first.revocation.ready
    first.revocation[Symbol.dispose]()
    stop()
    const [kept = ''] = readdirSync(cacheDir)
    t.equal(statSync(join(cacheDir, kept)).mode & 0o777, 0o600)
    t.match(readFileSync(join(cacheDir, kept), 'utf8'), url)

    const second = opened(t, [{ url }], { cacheDir })
    t.match(second.revocation.check(mallory, staff.certificate, second.now()), taken, 'before anything was fetched')
    t.equal(second.revocation.check(alice, staff.certificate, second.now()), 'good')
    await second.revocation.ready
    t.match(second.said.at(-1), /ECONNREFUSED/)
    t.equal(second.revocation.check(alice, staff.certificate, second.now()), 'good')
    second.move(8 * day)
    t.same(second.revocation.check(alice, staff.certificate, second.now()), { unknown: 'stale' }, 'and they end')

    const elsewhere = opened(t, [{ url: `${url}x` }], { cacheDir })
    await elsewhere.revocation.ready
    t.same(
      elsewhere.revocation.check(alice, staff.certificate, elsewhere.now()),
      noList,
      'a copy belongs to its address',
    )
  })

  await t.test('are not rolled back over a restart either', async t => {
    const cacheDir = t.testdir()
    let list = staff.list({ number: 5, revoked })
    const { url } = await serve(t, (_, response) => response.end(list))
    const first = opened(t, [{ url }], { cacheDir })
    await first.revocation.ready
    list = staff.list({ number: 4 })
    const second = opened(t, [{ url }], { cacheDir })
    await second.revocation.ready
    t.match(second.revocation.check(mallory, staff.certificate, second.now()), taken)
    list = staff.list({ number: 6 })
    const third = opened(t, [{ url }], { cacheDir })
    await third.revocation.ready
    t.equal(third.revocation.check(mallory, staff.certificate, third.now()), 'good')
  })

  await t.test('are used though their copy cannot be kept or read, and that is said', async t => {
    const file = join(t.testdir(), 'a-file')
    writeFileSync(file, '')
    const { url } = await serve(t, (_, response) => response.end(staff.list({ revoked })))
    const { revocation, said, now } = opened(t, [{ url }], { cacheDir: file })
    await revocation.ready
    t.equal(revocation.check(alice, staff.certificate, now()), 'good')
    t.match(said, [/^info/, /^warn: the copy of a revocation list cannot be kept or read$/])

    const cacheDir = join(t.testdir(), 'broken')
    mkdirSync(cacheDir)
    const sound = opened(t, [{ url }], { cacheDir })
    await sound.revocation.ready
    const [kept = ''] = readdirSync(cacheDir)
    chmodSync(join(cacheDir, kept), 0o600)
    writeFileSync(join(cacheDir, kept), 'garbage')
    const again = opened(t, [{ url }], { cacheDir })
    t.match(again.said, [/neither PEM nor DER/])
    await again.revocation.ready
    t.equal(again.revocation.check(alice, staff.certificate, again.now()), 'good')
  })

  await t.test('are fetched no more once it is closed, not even the one under way', async t => {
    let open = 0
    const { url, asked } = await serve(t, (request, response) => {
      open += 1
      request.socket.on('close', () => {
        open -= 1
      })
      if (asked.length === 1) response.end(staff.list())
    })
    const { revocation, said, changes } = opened(t, [{ url }], { refresh: 10 })
    await revocation.ready
    await until(
      t,
      () => asked.length === 2 && open > 0,
      () => asked,
    )
    const before = said.length
    revocation[Symbol.dispose]()
    await until(
      t,
      () => open === 0,
      () => open,
    )
    await new Promise(resolve => setTimeout(resolve, 50))
    t.equal(asked.length, 2)
    t.same([said.length, changes()], [before, 1])
  })

  await t.test('can be tried out', async t => {
    const lists = { '/good': staff.list({ revoked }), '/old': staff.list({ from: -9, until: -2 }), '/junk': 'junk' }
    const served = new Map(Object.entries(lists))
    const { origin } = await serve(t, ({ url = '' }, response) => {
      const list = served.get(url)
      response.writeHead(list === undefined ? 404 : 200).end(list)
    })
    const probed = await probeRevocation(
      {
        lists: ['/good', '/old', '/junk', '/none'].map(path => ({ url: `${origin}${path}` })),
        refresh: 1_000,
        whenStale: 'refuse',
      },
      Date.now(),
    )
    t.match(probed, [
      { what: `revocation list ${origin}/good`, ok: true, detail: /^O=Lab, CN=Staff: 1 revoked, until 20\d\d-/ },
      { ok: false, detail: /, out of date$/ },
      { ok: false, detail: 'it is neither PEM nor DER' },
      { ok: false, detail: 'the server answers with status 404' },
    ])
    t.same(await probeRevocation({ lists: [{ file: '/none' }], refresh: 1_000, whenStale: 'refuse' }, Date.now()), [])
  })
})

t.test('the next visit is due at the refresh, sooner before an end, and again soon after a failure', async t => {
  const hour = 3_600_000
  const rows: [string, Parameters<typeof nextVisit>[0], number][] = [
    ['nothing known', { refresh: hour, left: [], failures: 0 }, hour],
    ['a list of a week', { refresh: hour, left: [7 * day], failures: 0 }, hour],
    ['an end that is nearer than the refresh', { refresh: 7 * day, left: [2 * hour, 5 * day], failures: 0 }, hour],
    ['an end that is very near, or over', { refresh: hour, left: [1_000], failures: 0 }, 30_000],
    ['the first failure', { refresh: hour, left: [7 * day], failures: 1 }, 5_000],
    ['the fourth', { refresh: hour, left: [], failures: 4 }, 40_000],
    ['the hundredth', { refresh: hour, left: [], failures: 100 }, hour],
    ['a short refresh', { refresh: 1_000, left: [], failures: 3 }, 1_000],
  ]
  for (const [name, known, due] of rows) {
    const waits = Array.from({ length: 50 }, () => nextVisit(known))
    t.ok(Math.min(...waits) >= due * 0.8 && Math.max(...waits) <= due, `${name}: ${waits[0]}`)
    t.ok(new Set(waits).size > 1, 'not all at one time')
  }
})
