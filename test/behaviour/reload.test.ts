// A reload: what is new is at work for the next request, what runs is not touched, what is wrong changes nothing.
import { once } from 'node:events'
import { Agent, request } from 'node:https'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { reply } from '../fixture/upstream-answers.ts'
import { within } from './app.ts'

const answering = (text: string) => () => reply({ status: 200, body: text })
const to = (url: string, path = '/', access = 'everyone') => `
upstreams: { app: { kind: generic, url: "${url}" } }
routes: [{ path: ${path}, upstream: app, access: ${access} }]
`

/** One connection, kept open: the text that each request on it is answered with. */
function keepAlive(gateway: TestGateway, client?: { chainPem: string; keyPem: string }) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  let socket: TLSSocket | undefined
  return {
    agent,
    get socket() {
      if (socket === undefined) throw new Error('nothing was asked yet')
      return socket
    },
    async ask(path: string): Promise<{ status: number; text: string; reused: boolean; connection: string }> {
      const sent = request({
        agent,
        host: '127.0.0.1',
        servername: 'localhost',
        port: gateway.port,
        path,
        ca: gateway.authority.caPem,
        headers: { host: `localhost:${gateway.port}` },
        ...(client === undefined ? {} : { cert: client.chainPem, key: client.keyPem }),
      })
      sent.on('socket', one => {
        socket = one as TLSSocket // https hands out TLS sockets only
      })
      sent.end()
      const [answer] = await once(sent, 'response')
      const text = Buffer.concat(await Array.fromAsync(answer)).toString()
      const { connection = '' } = answer.headers
      return { status: answer.statusCode, text, reused: sent.reusedSocket, connection }
    },
  }
}

t.test('a new configuration', async t => {
  const [first, second] = [await startUpstream(t, answering('first')), await startUpstream(t, answering('second'))]
  const gateway = await startTestGateway(t, { yaml: to(first.url) })
  const one = keepAlive(gateway)
  t.teardown(() => one.agent.destroy())

  await t.test('is at work for the next request, on a connection that stays open', async t => {
    t.match(await one.ask('/'), { status: 200, text: 'first' })
    t.same(await gateway.reload({ yaml: to(second.url) }), { ok: true })
    t.match(await one.ask('/'), { status: 200, text: 'second', reused: true })
    t.same(await gateway.reload({ yaml: to(second.url, '/', 'authenticated') }), { ok: true })
    t.match(await one.ask('/'), { status: 401, reused: true })
    t.equal(gateway.audit().filter(({ kind }) => kind === 'reload').length, 2)
  })

  await t.test('that is wrong changes nothing, and is told', async t => {
    t.match(await gateway.reload({ yaml: to(second.url) }), { ok: true })
    for (const [yaml, said] of [
      [to(second.url).replace('everyone', 'evryone'), /everyone/],
      [to(second.url).replace('app, access', 'nobody, access'), /no upstream is called "nobody"/],
      [`${to(second.url)}realms: { directory: { enabled: true, tls: { ca: missing.pem } } }`, /there is no file/],
    ] as const) {
      const before = gateway.log().length
      t.match(await gateway.reload({ yaml }), { ok: false })
      t.ok(
        gateway
          .log()
          .slice(before)
          .some(({ level, message }) => level === 'error' && said.test(String(message))),
        `${said} is told`,
      )
      t.match(await one.ask('/'), { status: 200, text: 'second' })
    }
    t.match(gateway.audit().at(-1), { kind: 'reload', refused: 'the configuration has problems' })
  })

  await t.test('names what is heeded only after a restart', async t => {
    t.match(await gateway.reload({ yaml: `${to(second.url)}sessions: { idle: 5 min }` }), { ok: true })
    t.match(
      gateway.log().find(({ message }) => /only after a restart/.test(String(message))),
      { keys: ['sessions'] },
    )
  })
})

t.test('an upload goes on to the upstream that it began with, and the next one to the new', async t => {
  const first = await startUpstream(t, answering('first'))
  const second = await startUpstream(t, answering('second'))
  const gateway = await startTestGateway(t, { yaml: to(first.url) })
  const body = new Readable({ read: () => undefined })
  const answer = gateway.ask('/upload', { method: 'POST', body, headers: { 'transfer-encoding': 'chunked' } })
  body.push('begun ')
  while (first.openConnections === 0) await pause(10)
  t.match(await gateway.reload({ yaml: to(second.url) }), { ok: true })
  body.push('and ended')
  body.push(null)
  t.match(await answer, { status: 200, text: 'first' })
  t.equal(first.received[0]?.body.toString(), 'begun and ended')
  t.match(await gateway.ask('/'), { status: 200, text: 'second' })
  t.equal(second.received.length, 1)
})

t.test('certificates, keys and truststores', async t => {
  const upstream = await startUpstream(t, answering('in'))
  const authority = await startAuthority(t)
  const other = await startAuthority(t, 'Another Authority')
  const yaml = to(upstream.url, '/', 'authenticated')
  const gateway = await startTestGateway(t, { yaml, authority, certificate: 'optional', trusted: [other.caPem] })
  const alice = await authority.client('alice')
  const bob = await other.client('bob')

  const serialShown = async () => {
    const socket = connectTls({ port: gateway.port, host: '127.0.0.1', servername: 'localhost', ca: authority.caPem })
    await once(socket, 'secureConnect')
    const serial = socket.getPeerX509Certificate()?.serialNumber
    socket.destroy()
    return serial
  }

  await t.test('a new certificate is shown to the next connection', async t => {
    const before = await serialShown()
    const fresh = await authority.server(['localhost'], ['127.0.0.1'])
    const keystore = `{ certificate: ${fresh.certFile}, key: ${fresh.keyFile} }`
    t.match(await gateway.reload({ keystore }), { ok: true })
    t.not(await serialShown(), before)
    t.equal(await serialShown(), fresh.serial)
  })

  await t.test('a key that does not fit its certificate is not taken', async t => {
    const shown = await serialShown()
    const [a, b] = [await authority.server(['localhost']), await authority.server(['localhost'])]
    t.match(await gateway.reload({ keystore: `{ certificate: ${a.certFile}, key: ${b.keyFile} }` }), { ok: false })
    t.equal(await serialShown(), shown)
    const good = await authority.server(['localhost'], ['127.0.0.1'])
    t.match(await gateway.reload({ keystore: `{ certificate: ${good.certFile}, key: ${good.keyFile} }` }), { ok: true })
  })

  await t.test('who came by an authority that is taken out is put out, and nobody else', async t => {
    const [hers, his] = [keepAlive(gateway, alice), keepAlive(gateway, bob)]
    t.match(await hers.ask('/'), { status: 200 })
    t.match(await his.ask('/'), { status: 200 })
    const closed = once(his.socket, 'close')
    t.match(await gateway.reload({ trusted: [] }), { ok: true })
    await closed
    const leaving = await hers.ask('/')
    t.match(leaving, { status: 200, reused: true, connection: 'close' }, 'asked to leave with her answer')
    t.match(await hers.ask('/'), { status: 200, reused: false })
    t.match(await keepAlive(gateway, bob).ask('/'), { status: 401 })
    const told = () =>
      gateway.audit().find(({ kind, detail }) => kind === 'certificate-refused' && /no longer/.test(String(detail)))
    t.ok(await within(2_000, () => told() !== undefined))
    t.match(told(), { reason: 'certificate-not-trusted' })
    for (const { agent } of [hers, his]) agent.destroy()
  })

  await t.test('a truststore that cannot be read is not taken, and nothing else comes in its place', async t => {
    t.match(await gateway.reload({ truststore: [] }), { ok: false })
    t.match(await gateway.ask('/', { client: alice }), { status: 200 })
    t.match(await gateway.ask('/'), { status: 401 })
    t.match(await gateway.reload({ truststore: [authority.caPem] }), { ok: true })
  })

  await t.test('certificates that are demanded from now on are demanded on open connections too', async t => {
    const stranger = keepAlive(gateway)
    t.match(await stranger.ask('/'), { status: 401 })
    t.match(await gateway.reload({ certificate: 'required' }), { ok: true })
    t.match(await stranger.ask('/'), { status: 400 }, 'the rest of this connection is held to the new terms')
    stranger.agent.destroy()
  })
})

t.test('listeners come and go', async t => {
  const upstream = await startUpstream(t, answering('in'))
  const yaml = to(upstream.url)
  const gateway = await startTestGateway(t, { yaml })
  const { certFile, keyFile } = await gateway.authority.server(['localhost'])
  const urlOf = (name: string) => gateway.gateway.listeners.find(one => one.name === name)?.urls[0] ?? ''
  const webUrl = urlOf('web')
  const running = gateway.open('/')

  const second = `second: { bind: "127.0.0.1:0", keystore: { certificate: ${certFile}, key: ${keyFile} } }`
  t.match(await gateway.reload({ listeners: ['plain: { bind: "127.0.0.1:0", redirect: web }', second] }), { ok: true })
  t.equal(urlOf('web'), webUrl, 'an address that stays is never let go')
  const redirect = await fetch(urlOf('plain'), { redirect: 'manual' })
  t.equal(new URL(redirect.headers.get('location') ?? '').port, new URL(webUrl).port)

  t.match(await gateway.reload({ listeners: ['plain: { bind: "127.0.0.1:0", redirect: second }', second] }), {
    ok: true,
  })
  const moved = await fetch(urlOf('plain'), { redirect: 'manual' })
  t.equal(new URL(moved.headers.get('location') ?? '').port, new URL(urlOf('second')).port, 'a redirect follows')

  const taken = `third: { bind: "127.0.0.1:${new URL(webUrl).port}", redirect: web }`
  t.match(await gateway.reload({ listeners: [second, taken] }), { ok: false, why: /EADDRINUSE/ })
  t.ok((await fetch(urlOf('plain'), { redirect: 'manual' })).status, 'nothing was closed')

  const gone = urlOf('plain')
  t.match(await gateway.reload({ listeners: [] }), { ok: true })
  await t.rejects(fetch(gone, { redirect: 'manual' }))
  t.same(
    gateway.gateway.listeners.map(({ name }) => name),
    ['web'],
  )
  t.equal((await running).statusCode, 200)
})
