// S03: where a connection came from is told by a PROXY header only where the configuration says so, only by a trusted
// proxy, once, and before TLS. Everything else is cut, and reaches no upstream.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import t from 'tap'
import { within } from '../behaviour/app.ts'
import { startAuthority } from '../fixture/authority.ts'
import { type GatewayOptions, startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { proxyHeader } from '../fixture/proxy-v2.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { json } from '../fixture/upstream-answers.ts'
import { stillAnswers } from './raw-request.ts'

const [balancer, layer7] = ['127.0.0.9', '127.0.0.7']
const authority = await startAuthority(t)
const upstream = await startUpstream(t, () => json({ seen: true }))
const yaml = `
trustedProxies: [${balancer}, ${layer7}]
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]`
const start = (options: Partial<GatewayOptions> = {}) =>
  startTestGateway(t, { authority, yaml, listener: 'proxyProtocol: v2\nlimits: { handshake: 1 s }', ...options })
const gateway = await start()

const spoofed = proxyHeader({ from: '203.0.113.7' })
const version1 = Buffer.from('PROXY TCP4 203.0.113.7 127.0.0.1 40000 443\r\n')
const get = (more = '') => `GET /x HTTP/1.1\r\nHost: localhost\r\n${more}Connection: close\r\n\r\n`

async function open({ port }: Pick<TestGateway, 'port'>, localAddress: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  socket.on('error', () => undefined) // told by 'close'
  await once(socket, 'connect')
  return socket
}

/** Whatever the error is: who waits for an event by `once` gets that instead. */
const closed = (socket: Socket): Promise<void> =>
  new Promise(resolve => (socket.closed ? resolve() : socket.once('close', () => resolve())))

const everything = async (socket: Socket | TLSSocket): Promise<string> => {
  const parts: Buffer[] = []
  socket.on('data', (part: Buffer) => parts.push(part))
  await closed(socket)
  return Buffer.concat(parts).toString('latin1')
}

interface Sent {
  readonly from?: string
  readonly header?: Buffer
  readonly bytes?: string
  readonly to?: TestGateway
}

/** What comes back when TLS begins behind these bytes; an error is told by its code. */
async function ask({ from = balancer, header = spoofed, bytes = get(), to = gateway }: Sent): Promise<string> {
  const raw = await open(to, from)
  if (header.length > 0) raw.write(header)
  const socket = connectTls({ socket: raw, servername: 'localhost', ca: authority.caPem })
  let code: string | undefined
  socket.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code ?? error.message
  })
  socket.write(bytes)
  const answer = await everything(socket)
  return code ?? answer
}

const lastSeen = (name: string) => upstream.received.at(-1)?.header(name)
const told = (kind: string) => gateway.log().filter(line => line['kind'] === kind)

t.test('a trusted proxy announces the client, whatever the client claims of itself', async t => {
  t.match(await ask({ bytes: get('X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\n') }), /^HTTP\/1\.1 200/)
  t.equal(lastSeen('x-forwarded-for'), '203.0.113.7')
  t.match(lastSeen('forwarded'), /^for=203\.0\.113\.7;/)
  t.match(await ask({ header: proxyHeader({ from: '2001:db8:0:0:0:0:0:7' }) }), /^HTTP\/1\.1 200/)
  t.equal(lastSeen('x-forwarded-for'), '2001:db8::7')
  t.ok(
    gateway.log().some(line => line['client'] === '203.0.113.7'),
    'the access log has it too',
  )
  t.notMatch(JSON.stringify(gateway.log()), /192\.0\.2\.1|"client":"127\.0\.0\.9"/)
})

t.test('a proxy of layer 7 behind it is believed as ever, by its own address', async t => {
  const bytes = get('X-Forwarded-For: 192.0.2.1\r\n')
  t.match(await ask({ header: proxyHeader({ from: layer7 }), bytes }), /^HTTP\/1\.1 200/)
  t.equal(lastSeen('x-forwarded-for'), `192.0.2.1, ${layer7}`)
})

t.test('the proxy’s own connection (a health check) keeps its address', async t => {
  t.match(await ask({ header: proxyHeader({ command: 'local', from: '203.0.113.7' }) }), /^HTTP\/1\.1 200/)
  t.equal(lastSeen('x-forwarded-for'), balancer)
})

t.test('what is not exactly one header of a trusted proxy before TLS is cut', async t => {
  const from = upstream.received.length
  const sent: Readonly<Record<string, Sent>> = {
    'a header of a stranger': { from: '127.0.0.8' },
    'a stranger without a header': { from: '127.0.0.8', header: Buffer.alloc(0) },
    'no header': { header: Buffer.alloc(0) },
    'version 1': { header: version1 },
    'version 1 before version 2': { header: Buffer.concat([version1, spoofed]) },
    'two headers': { header: Buffer.concat([proxyHeader({ from: '192.0.2.1' }), spoofed]) },
    'a header for UDP': { header: proxyHeader({ family: 0x12, from: '203.0.113.7' }) },
    'a client that is not named': { header: proxyHeader({ family: 0 }) },
    'a wrong checksum': { header: proxyHeader({ from: '203.0.113.7', more: [[3, Buffer.from('beef', 'latin1')]] }) },
    'one byte before it': { header: Buffer.concat([Buffer.from('\r'), spoofed]) },
  }
  const answers = await Promise.all(Object.values(sent).map(ask))
  for (const [index, name] of Object.keys(sent).entries())
    t.match(answers[index], /^(ECONNRESET|EPIPE|ERR_SSL_\w+)$|^$/, `${name}: no answer`)

  const raw = await open(gateway, balancer)
  raw.write(get())
  t.equal(await everything(raw), '', 'plain HTTP without a header is told nothing')
  t.equal(upstream.received.length, from, 'nothing arrived')
  t.match(
    told('no-proxy').find(({ level }) => level === 'warn'),
    { address: '127.0.0.8', detail: 'it comes from none of trustedProxies' },
  )
  t.match(
    told('proxy-header').find(({ level }) => level === 'warn'),
    { address: balancer },
  )
  for (const detail of [/^TLS without/, /version 1/, /names no client/, /checksum/])
    t.ok(
      told('proxy-header').some(line => detail.test(String(line['detail']))),
      String(detail),
    )
  await t.resolves(ask({}), 'it goes on answering')
})

t.test('a header within TLS, or behind the ClientHello, is no header', async t => {
  t.match(
    await ask({ bytes: `${proxyHeader({ from: '192.0.2.1' }).toString('latin1')}${get()}` }),
    /^HTTP\/1\.1 400|^$/,
  )
  t.match(await ask({ bytes: `${version1}${get()}` }), /^HTTP\/1\.1 400/)
  const from = upstream.received.length
  const raw = await open(gateway, balancer)
  raw.write(spoofed)
  connectTls({ socket: raw, servername: 'localhost', ca: authority.caPem }).on('error', () => undefined)
  // TLS has written its ClientHello by now, and waits for the answer.
  await pause(0)
  raw.write(proxyHeader({ from: '192.0.2.1' }))
  await everything(raw)
  t.equal(upstream.received.length, from)
})

t.test('a header may come in pieces, and together with what follows; never slowly', { jobs: 3 }, async t => {
  t.test('byte by byte', async t => {
    const raw = await open(gateway, balancer)
    raw.setNoDelay(true)
    for (const byte of spoofed) {
      raw.write(Buffer.from([byte]))
      await pause(1)
    }
    const socket = connectTls({ socket: raw, servername: 'localhost', ca: authority.caPem })
    socket.write(get())
    t.match(await everything(socket), /^HTTP\/1\.1 200/)
  })
  t.test('in one write with the first bytes of TLS', async t => {
    const raw = await open(gateway, balancer)
    const [near, far] = duplexPair()
    const socket = connectTls({ socket: near, servername: 'localhost', ca: authority.caPem })
    far.once('data', (hello: Buffer) => {
      raw.write(Buffer.concat([spoofed, hello]))
      far.pipe(raw).pipe(far)
    })
    raw.once('close', () => socket.destroy())
    socket.write(get())
    t.match(await everything(socket), /^HTTP\/1\.1 200/)
  })
  t.test('who is slow with it is cut at the end of the handshake’s time', async t => {
    const raw = await open(gateway, balancer)
    const since = performance.now()
    const gone = closed(raw)
    for (const byte of spoofed.subarray(0, -1)) {
      if (raw.destroyed) break
      raw.write(Buffer.from([byte]))
      await pause(40)
    }
    raw.resume()
    await gone
    t.ok(performance.now() - since >= 900, 'not at once')
    t.ok(told('proxy-header').some(({ detail }) => detail === 'no whole PROXY header came in time'))
  })
})

t.test('where it is not switched on, a header is not looked for, whoever sends it', async t => {
  const none = await start({ listener: '' })
  t.match(await ask({ to: none }), /^(ECONNRESET|EPIPE|ERR_SSL_\w+)$|^$/)
  t.equal((await none.ask('/x')).status, 200)
  t.equal(lastSeen('x-forwarded-for'), '127.0.0.1')

  await none.reload({ listener: 'proxyProtocol: v2' })
  await t.rejects(none.ask('/x'), 'from the reload on, who comes past the proxy is not let in')
  t.match(await ask({ to: none }), /^HTTP\/1\.1 200/)
  t.equal(lastSeen('x-forwarded-for'), '203.0.113.7')
})

t.test('each announced client has its share of the places, and the proxy has none', async t => {
  const shared = await start({ listener: 'proxyProtocol: v2\nlimits: { connections: 20, connectionsPerAddress: 2 }' })
  const hold = async (address: string) => {
    const raw = await open(shared, balancer)
    raw.write(proxyHeader({ from: address }))
    const socket = connectTls({ socket: raw, servername: 'localhost', ca: authority.caPem })
    socket.on('error', () => undefined)
    t.teardown(() => socket.destroy())
    const isIn = new Promise(resolve => socket.once('secureConnect', () => resolve('in')))
    return await Promise.race([isIn, closed(socket)])
  }
  for (const address of ['192.0.2.1', '192.0.2.1', '192.0.2.2', '192.0.2.2', '192.0.2.3'])
    t.equal(await hold(address), 'in', address)
  await hold('192.0.2.1')
  t.ok(
    await within(2_000, () => shared.log().some(({ kind, address }) => kind === 'crowded' && address === '192.0.2.1')),
    'the third of one client finds no room',
  )
})

t.test('the gateway still answers', async t => {
  await stillAnswers(t, await start({ listener: '' }))
})
