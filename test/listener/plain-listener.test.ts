/**
 * The listeners without TLS: one sends people to https and does nothing else, one tells how the gateway is.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { listenAdmin } from '../../src/listener/admin-listener.ts'
import { listenPlain, redirectLocation } from '../../src/listener/plain-listener.ts'
import { within } from '../behaviour/app.ts'

const anywhere = [{ host: '127.0.0.1', port: 0 }]

/** Status line, headers and body of one raw request. */
async function ask(url: string, text: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.end(text)
  let answer = ''
  socket.on('data', bytes => {
    answer += bytes
  })
  await once(socket, 'close')
  return answer
}

async function startPlain(t: Test, publicOrigin?: string): Promise<string> {
  const bound = await listenPlain(
    'plain',
    { kind: 'plain', bind: anywhere, redirect: 'web' },
    { publicOrigin, port: 8443 },
  )
  t.teardown(() => bound[Symbol.asyncDispose]())
  return bound.urls[0] ?? ''
}

t.test('a plain request is sent to the same place with TLS', async t => {
  const to = { publicOrigin: undefined, port: 8443 }
  t.equal(redirectLocation('pacs:8080', '/a?b', to), 'https://pacs:8443/a?b')
  t.equal(redirectLocation('pacs', 'http://pacs/a', to), 'https://pacs:8443/a')
  t.equal(redirectLocation('[::1]:8080', '/', { ...to, port: 443 }), 'https://[::1]/')
  t.equal(
    redirectLocation('pacs', '/a', { ...to, publicOrigin: 'https://imaging.example.org' }),
    'https://imaging.example.org/a',
  )
  t.equal(redirectLocation('pacs', '//evil.example', to), 'https://pacs:8443//evil.example', 'never to another host')
  for (const [host, url] of [
    [undefined, '/'],
    ['', '/'],
    ['a b', '/'],
    ['a@b', '/'],
    ['a', '*'],
    ['a', 'http://b/'],
    ['a', '/\u00e4'],
    ['a', '/\r\nX: y'],
  ] as const) {
    t.equal(redirectLocation(host, url, to), undefined, JSON.stringify([host, url]))
  }
})

t.test('GET is moved for good, other methods keep their method, what is unclear gets 400', async t => {
  const url = await startPlain(t)
  t.match(
    await ask(url, 'GET /x HTTP/1.1\r\nHost: pacs\r\n\r\n'),
    /^HTTP\/1\.1 301 [\s\S]*\r\nlocation: https:\/\/pacs:8443\/x\r\n/,
  )
  t.match(await ask(url, 'POST /x HTTP/1.1\r\nHost: pacs\r\nContent-Length: 2\r\n\r\nhi'), /^HTTP\/1\.1 308 /)
  const unclear = [
    'GET / HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
    'GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n',
    'nonsense\r\n\r\n',
  ]
  for (const request of unclear) {
    const answer = await ask(url, request)
    t.match(answer, /^HTTP\/1\.1 400 /, JSON.stringify(request))
    t.notMatch(answer, /location:/i)
  }
})

t.test('an ACME authority finds the answer to a token, and everything else is sent to https', async t => {
  const answers = new Map([['a-token_of-OURS', 'a-token_of-OURS.thumbprint']])
  const bound = await listenPlain(
    'plain',
    { kind: 'plain', bind: anywhere, redirect: 'web' },
    { publicOrigin: undefined, port: 8443 },
    token => answers.get(token),
  )
  t.teardown(() => bound[Symbol.asyncDispose]())
  const get = (path: string, method = 'GET') => fetch(`${bound.urls[0]}${path}`, { method, redirect: 'manual' })
  const ours = '/.well-known/acme-challenge/a-token_of-OURS'
  const given = await get(ours)
  t.equal(given.status, 200)
  t.equal(given.headers.get('content-type'), 'application/octet-stream')
  t.equal(await given.text(), 'a-token_of-OURS.thumbprint')
  const rows: [path: string, method?: string][] = [
    ['/.well-known/acme-challenge/another'],
    ['/.well-known/acme-challenge/'],
    ['/.well-known/acme-challenge/__proto__'],
    [`${ours}?x`],
    [`${ours}/`],
    [`${ours.slice(0, -1)}%53`],
    [`/x${ours}`],
    [`/${ours}`],
    [ours, 'POST'],
    ['/'],
  ]
  for (const [path, method] of rows) {
    const answer = await get(path, method)
    t.equal(answer.status, method === undefined ? 301 : 308, `${method ?? 'GET'} ${path}`)
    t.match(answer.headers.get('location'), /^https:\/\/127\.0\.0\.1:8443\//)
  }
  answers.clear()
  t.equal((await get(ours)).status, 301, 'once the order is over, as well')
})

t.test('who says nothing makes room for others', async t => {
  const from: string[] = []
  const bound = await listenPlain(
    'plain',
    { kind: 'plain', bind: anywhere, redirect: 'web' },
    { publicOrigin: undefined, port: 8443 },
    () => undefined,
    (kind, address) => {
      if (kind === 'let-go') from.push(address)
    },
  )
  t.teardown(() => bound[Symbol.asyncDispose]())
  const port = Number(new URL(bound.urls[0] ?? '').port)
  let cut = 0
  for (let at = 0; at < 400; at++) {
    const silent = connect({ host: '127.0.0.1', port, localAddress: `127.0.8.${(at % 3) + 1}` })
    silent.on('error', () => undefined).on('close', () => cut++)
    t.teardown(() => silent.destroy())
  }
  t.ok(await within(5_000, () => cut >= 144), `${cut} of 400 were cut`)
  await pause(1_100)
  t.equal((await fetch(bound.urls[0] ?? '', { redirect: 'manual' })).status, 301)
  t.match(from[0], /^127\.0\.8\./, 'in place of one of them')
})

t.test('health and metrics are told, and nothing else', async t => {
  const parts = { orthanc: 'not reached', audit: 'ok' }
  let ready = false
  const bound = await listenAdmin(anywhere, {
    readiness: async () => ({ ready, parts }),
    metrics: async () => {
      if (!ready) throw new Error('a counter broke')
      return { type: 'text/plain', text: 'sallyport_x 1\n' }
    },
  })
  t.teardown(() => bound[Symbol.asyncDispose]())
  const get = (path: string) => fetch(`${bound.urls[0]}${path}`)
  t.equal((await get('/healthz')).status, 200)
  t.equal((await get('/readyz')).status, 503)
  t.equal((await get('/metrics')).status, 500, 'a metric that breaks does not end the gateway')
  ready = true
  const answer = await get('/readyz?x')
  t.equal(answer.status, 200)
  t.same(await answer.json(), { ready: true, parts })
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.equal(await (await get('/metrics')).text(), 'sallyport_x 1\n')
  t.equal((await get('/')).status, 404)
})

t.test('all addresses are bound, or none', async t => {
  const url = await startPlain(t)
  const taken = { host: '127.0.0.1', port: Number(new URL(url).port) }
  const probe = await listenPlain(
    'probe',
    { kind: 'plain', bind: anywhere, redirect: 'web' },
    { publicOrigin: undefined, port: 1 },
  )
  const port = Number(new URL(probe.urls[0] ?? '').port)
  await probe.drain(0)
  const binds = [{ host: '127.0.0.1', port }, taken]
  await t.rejects(
    listenPlain('plain', { kind: 'plain', bind: binds, redirect: 'web' }, { publicOrigin: undefined, port: 1 }),
    { code: 'EADDRINUSE' },
  )
  const again = await listenPlain(
    'plain',
    { kind: 'plain', bind: binds.slice(0, 1), redirect: 'web' },
    { publicOrigin: undefined, port: 1 },
  )
  t.same(again.urls, [`http://127.0.0.1:${port}`], 'what was already bound was let go')
  await again.drain(0)
})
