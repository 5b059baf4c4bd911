// An upstream of several servers behind the whole gateway: one is killed under load, sessions stay where they are, and
// nothing tells a client where they stand.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { rawTls } from '../fixture/raw-tls.ts'
import { type Respond, startUpstream, type Upstream } from '../fixture/upstream.ts'
import { hang, json, reply, upgradeEcho } from '../fixture/upstream-answers.ts'
import { within } from './app.ts'

interface House {
  readonly servers: readonly Upstream[]
  readonly gateway: TestGateway
}

async function start(t: Test, respond: (number: number) => Respond, upstream = 'kind: generic'): Promise<House> {
  const servers = await Promise.all([1, 2].map(number => startUpstream(t, respond(number))))
  const gateway = await startTestGateway(t, {
    yaml: `
admin: { bind: 127.0.0.1:0 }
upstreams: { app: { ${upstream}, url: ${JSON.stringify(servers.map(({ url }) => url))} } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  return { servers, gateway }
}

const handshake =
  'GET /x HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'
const say = (number: number) => () => json({ from: number })
const wait = (milliseconds: number) => new Promise(resolve => setTimeout(resolve, milliseconds))
const admin = async ({ gateway }: TestGateway, path: string) => {
  const [url] = gateway.listeners.find(({ name }) => name === 'admin')?.urls ?? []
  const answer = await fetch(`${url}${path}`)
  return { status: answer.status, text: await answer.text() }
}

t.test('one is killed under load: what it was doing breaks off, and nobody else notices', async t => {
  const { servers, gateway } = await start(t, number => async ({ method }) => {
    if (method === 'POST') return hang
    await wait(5)
    return json({ from: number })
  })
  const [first, second] = servers
  let isOver = false
  const statuses: number[] = []
  const readers = Array.from({ length: 8 }, async () => {
    while (!isOver) statuses.push((await gateway.ask('/x')).status)
  })
  const uploads = [1, 2, 3, 4].map(() =>
    gateway.ask('/upload', { method: 'POST', body: 'x' }).catch(() => ({ status: 0 })),
  )
  const posts = () => servers.map(({ received }) => received.filter(({ method }) => method === 'POST').length)
  t.ok(await within(5_000, () => (posts()[0] ?? 0) + (posts()[1] ?? 0) === 4))
  const [cut = 0] = posts()
  t.ok(cut > 0 && cut < 4, 'both had some')
  await first?.close()
  await wait(300)
  t.ok(await within(10_000, () => statuses.length > 20))
  const ended = await Promise.all(uploads.map(upload => Promise.race([upload, wait(0).then(() => ({ status: -1 }))])))
  t.equal(ended.filter(({ status }) => status === 502).length, cut, 'what changes something is not done twice')
  t.equal(ended.filter(({ status }) => status === -1).length, 4 - cut, 'what runs at the other goes on')
  isOver = true
  await Promise.all(readers)
  t.same(new Set(statuses), new Set([200]), 'who reads has noticed nothing')
  t.match(
    gateway.log().find(({ level, message }) => level === 'warn' && /server 1 of 2/.test(String(message))),
    { upstream: 'app', message: /is out/ },
  )

  const ready = await admin(gateway, '/readyz')
  t.equal(ready.status, 200)
  t.match(ready.text, /ok: 1 of 2 servers answer/)
  const { text } = await admin(gateway, '/metrics')
  t.match(text, /sallyport_upstream_server_in_service\{upstream="app",server="1"\} 0/)
  t.match(text, /sallyport_upstream_server_in_service\{upstream="app",server="2"\} 1/)
  t.match(text, /sallyport_upstream_up\{upstream="app"\} 1/)
  t.notMatch(`${ready.text}${text}`, String(first?.port))

  await second?.close()
  const lost = await gateway.ask('/x', { headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate' } })
  t.equal(lost.status, 502)
  t.notMatch(lost.text, new RegExp(`127\\.0\\.0\\.1|${first?.port}|${second?.port}`))
  await startUpstream(t, say(2), second === undefined ? {} : { port: second.port })
  t.equal((await gateway.ask('/x')).status, 200, 'the first request after it is back is served')
})

t.test('what a client does wrong puts no server out', async t => {
  const { servers, gateway } = await start(t, say, 'kind: generic, maxBody: 1 KB')
  const large = () => Readable.from(Array.from({ length: 40 }, () => Buffer.alloc(100)))
  for (let count = 0; count < 4; count++)
    t.equal((await gateway.ask('/x', { method: 'POST', body: large() })).status, 413)
  for (let count = 0; count < 4; count++) {
    const line = await rawTls(gateway.port, { ca: gateway.authority.caPem })
    await line.write('POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\nhalf')
    t.ok(await within(2_000, () => servers.some(({ openConnections }) => openConnections > 0)))
    line.close()
  }
  await wait(100)
  t.notMatch(JSON.stringify(gateway.log()), /is out/)
})

t.test('a place that any of them names is ours', async t => {
  const { gateway, servers } = await start(
    t,
    () => request => reply({ status: 302, headers: [['Location', request.header('x-to') ?? '']] }),
  )
  const sentTo = async (place: string) => (await gateway.ask('/x', { headers: { 'x-to': place } })).headers['location']
  for (const { url } of servers) t.equal(await sentTo(`${url}/y`), `https://localhost:${gateway.port}/y`)
  t.equal(await sentTo('http://elsewhere.example.org/y'), 'http://elsewhere.example.org/y')
})

t.test('a WebSocket is opened at the server that is left', async t => {
  const { servers, gateway } = await start(t, () => () => upgradeEcho())
  await servers[1]?.close() // the first one to be asked
  for (let count = 0; count < 2; count++) {
    using line = await rawTls(gateway.port, { ca: gateway.authority.caPem })
    await line.write(handshake)
    t.match((await line.read({ until: '\r\n\r\n' })).text, /^HTTP\/1\.1 101/)
  }
})

t.test('a WebSocket waits for no server that is silent, while there is another', async t => {
  const authority = await startAuthority(t)
  const { chainPem, keyPem } = await authority.server(['localhost'])
  const well = await startUpstream(t, () => upgradeEcho(), { tls: { cert: chainPem, key: keyPem } })
  const silent = createServer(socket => socket.on('error', () => undefined)).listen(0, '127.0.0.1')
  t.teardown(() => silent.close())
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo // it listens on a port
  const gateway = await startTestGateway(t, {
    yaml: `
upstreams:
  app: { kind: generic, url: ["${well.url}", "https://localhost:${port}"], tls: { ca: ${authority.caFile} }, timeouts: { connect: 1 s } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  using line = await rawTls(gateway.port, { ca: gateway.authority.caPem })
  await line.write(handshake)
  t.match((await line.read({ until: '\r\n\r\n' })).text, /^HTTP\/1\.1 101/)
  t.match(JSON.stringify(gateway.log()), /server 2 of 2 .* is out/, 'it was the first to be asked')
})

t.test('a session of OMERO.web stays at its server, and moves when that goes', async t => {
  const { servers, gateway } = await start(t, say, 'kind: omero-web')
  const ask = async (cookie?: string) => {
    const answer = await gateway.ask('/webclient/', cookie === undefined ? {} : { cookie })
    return { from: Number(JSON.parse(answer.text).from), cookies: answer.cookies }
  }
  const first = await ask()
  const [line = ''] = first.cookies
  t.equal(line, `__Host-sallyport-at-app=${first.from}; Path=/; Secure; HttpOnly; SameSite=Lax`)
  const [cookie = ''] = line.split(';')
  for (let count = 0; count < 5; count++) t.same(await ask(`sessionid=s; ${cookie}`), { from: first.from, cookies: [] })
  const received = servers.flatMap(({ received }) => received)
  t.same(
    [...new Set(received.map(({ header }) => header('cookie')))],
    [undefined, 'sessionid=s'],
    'and it is ours alone',
  )

  await servers[first.from - 1]?.close()
  const moved = await ask(cookie)
  t.equal(moved.from, 3 - first.from)
  const there = moved.cookies[0]?.split(';')[0]
  t.equal(there, `__Host-sallyport-at-app=${moved.from}`)
  await startUpstream(t, say(first.from), { port: servers[first.from - 1]?.port ?? 0 })
  t.ok(await within(6_000, () => gateway.log().some(({ message }) => /is back/.test(String(message)))))
  t.equal((await ask(there)).from, moved.from, 'and stays there when the first one is back')
})
