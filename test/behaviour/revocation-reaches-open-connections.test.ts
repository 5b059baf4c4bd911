// A certificate that is taken back ends what its holder has open: requests, downloads, WebSockets, streams.
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { ledgerFile, openLedger } from '../../src/issuer/ledger.ts'
import { signRevocationList } from '../../src/issuer/revocation-list.ts'
import { startAuthority, type TestClient } from '../fixture/authority.ts'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { startTcpUpstream } from '../fixture/tcp-upstream.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { hang, reply, upgradeEcho } from '../fixture/upstream-answers.ts'
import { within } from './app.ts'

/** A revocation must be felt within this. */
const patience = 5_000

interface Open {
  readonly what: string
  readonly isOpen: () => boolean
}

/** Everything that a client can have open at one time. */
async function openAll(t: Test, gateway: TestGateway, client: TestClient): Promise<readonly Open[]> {
  const tls = { ca: gateway.authority.caPem, cert: client.chainPem, key: client.keyPem, servername: 'localhost' }
  const watched = (what: string, socket: TLSSocket): Open => {
    socket.on('error', () => undefined) // told by its end
    t.teardown(() => socket.destroy())
    let open = true
    for (const event of ['end', 'close'] as const)
      socket.once(event, () => {
        open = false
      })
    return { what, isOpen: () => open }
  }
  const raw = async (port: number): Promise<TLSSocket> => {
    const socket = connect({ ...tls, host: '127.0.0.1', port })
    await once(socket, 'secureConnect')
    return socket
  }
  const head = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost:${gateway.port}\r\n\r\n`

  const idle = await raw(gateway.port)
  idle.write(head('/'))
  await once(idle, 'data')
  const waiting = await raw(gateway.port)
  waiting.write(head('/hang'))

  const session = connectHttp2(`https://127.0.0.1:${gateway.port}`, tls)
  session.on('error', () => undefined) // told by its end
  t.teardown(() => session.destroy())
  const stream = session.request({ ':path': '/', ':authority': `localhost:${gateway.port}` })
  stream.resume()
  const [answer] = await once(stream, 'response')
  t.equal(answer[':status'], 200)

  const socket = new WebSocket(`wss://localhost:${gateway.port}/socket`, tls)
  socket.on('error', () => undefined) // told by its state
  t.teardown(() => socket.terminate())
  await once(socket, 'open')

  const streamUrl = gateway.gateway.listeners.find(({ name }) => name === 'raw')?.urls[0] ?? ''
  const bytes = await raw(Number(new URL(streamUrl).port))
  bytes.write('hello')
  await once(bytes, 'data')
  return [
    watched('a connection that is kept open', idle),
    watched('a request that waits for its answer', waiting),
    { what: 'a session of HTTP/2', isOpen: () => !session.destroyed && !session.closed },
    { what: 'a WebSocket', isOpen: () => socket.readyState === WebSocket.OPEN },
    watched('a stream', bytes),
  ]
}

/** With `lists`: the listener and the stream ask a revocation list, which `write` makes anew. */
async function startHouse(t: Test, lists: boolean) {
  const authority = await startAuthority(t)
  const upstream = await startUpstream(t, ({ target }) =>
    target === '/hang' ? hang : target === '/socket' ? upgradeEcho() : reply({ body: 'in' }),
  )
  const echo = await startTcpUpstream(t, { keeps: false, onConnection: socket => socket.pipe(socket) })
  const { certFile, keyFile } = await authority.server(['localhost'], ['127.0.0.1'])
  const file = join(authority.dir, 'list.pem')
  const write = async () => writeFileSync(file, (await signRevocationList(authority.authority, authority.ledger)).pem)
  await write()
  const revocation = lists ? { clients: `revocation: { lists: [${file}] }` } : {}
  const gateway = await startTestGateway(t, {
    authority,
    ...revocation,
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]
streams:
  raw:
    bind: 127.0.0.1:0
    protocol: raw
    keystore: { certificate: ${certFile}, key: ${keyFile} }
    clients: { ${['certificate: required', `truststore: ${authority.caFile}`, ...Object.values(revocation)].join(', ')} }
    upstream: "tcp://127.0.0.1:${echo.port}"
    access: authenticated
`,
  })
  return { authority, gateway, write }
}

async function seeTaken(
  t: Test,
  gateway: TestGateway,
  people: { readonly alice: TestClient; readonly bob: TestClient },
  take: () => Promise<void>,
) {
  const [hers, his] = [await openAll(t, gateway, people.alice), await openAll(t, gateway, people.bob)]
  await take()
  for (const { what, isOpen } of hers) t.ok(await within(patience, () => !isOpen()), `${what} is cut`)
  for (const { what, isOpen } of his) t.ok(isOpen(), `${what} of somebody else goes on`)
  const refused = await gateway.ask('/', { client: people.alice })
  t.match([refused.status, JSON.parse(refused.text).reason], [401, 'certificate-revoked'])
  t.equal((await gateway.ask('/', { client: people.bob })).status, 200)
  t.match(
    gateway.audit().find(({ kind }) => kind === 'certificate-refused'),
    { reason: 'certificate-revoked', detail: /keyCompromise/ },
  )
}

t.test('what our own authority takes back while the gateway runs', async t => {
  const { authority, gateway } = await startHouse(t, false)
  const people = { alice: await authority.client('alice'), bob: await authority.client('bob') }
  await seeTaken(t, gateway, people, async () => {
    // As the command does it, over a connection of its own to the state.
    using ledger = openLedger(join(gateway.dir, 'state', ledgerFile))
    for (const issued of authority.ledger.list()) ledger.record(issued)
    ledger.revoke(people.alice.serial, { at: new Date(), reason: 'keyCompromise' })
  })
})

t.test('what a new revocation list takes back', async t => {
  const { authority, gateway, write } = await startHouse(t, true)
  const people = { alice: await authority.client('alice'), bob: await authority.client('bob') }
  await seeTaken(t, gateway, people, async () => {
    authority.ledger.revoke(people.alice.serial, { at: new Date(), reason: 'keyCompromise' })
    await write()
    t.same(await gateway.reload(), { ok: true })
  })
})
