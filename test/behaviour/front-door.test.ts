// The front door: room for everybody, and a handshake that a reload overtakes is held to the terms of before no longer
// than for one answer.
import { once } from 'node:events'
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { reply } from '../fixture/upstream-answers.ts'
import { within } from './app.ts'

const yaml = (url: string) => `
upstreams: { app: { kind: generic, url: "${url}" } }
routes: [{ path: /, upstream: app, access: everyone }]
`

t.test('one address that never finishes its handshakes leaves room for the others', async t => {
  const upstream = await startUpstream(t, () => reply({ body: 'in' }))
  const gateway = await startTestGateway(t, { yaml: yaml(upstream.url), listener: 'limits: { connections: 40 }' })
  const silent: Socket[] = []
  t.teardown(() => silent.forEach(socket => void socket.destroy()))
  let cut = 0
  for (let at = 0; at < 60; at++) {
    const socket = connectTcp({ host: '127.0.0.1', port: gateway.port, localAddress: '127.0.0.9' })
    socket.on('error', () => undefined).on('close', () => cut++)
    silent.push(socket)
  }
  t.ok(await within(2_000, () => cut >= 40), `${cut} of 60 were cut`)
  t.ok(60 - cut >= 8, 'some may wait: people stand behind one address too')
  for (let at = 0; at < 5; at++) t.equal((await gateway.ask('/')).status, 200, 'everybody else gets in')
  t.ok(
    gateway.log().some(({ level, kind }) => level === 'warn' && kind === 'crowded'),
    'and the operator is told',
  )
})

t.test('a handshake that a reload overtakes is asked to leave with its first answer', async t => {
  const upstream = await startUpstream(t, () => reply({ body: 'in' }))
  const gateway = await startTestGateway(t, { yaml: yaml(upstream.url) })
  // A line that passes ten bytes of the ClientHello on, has the terms replaced, and lets the rest follow.
  const line = createServer(client => {
    const server = connectTcp({ host: '127.0.0.1', port: gateway.port, noDelay: true })
    for (const one of [client, server]) one.on('error', () => undefined)
    t.teardown(() => server.destroy())
    client.once('data', first => {
      client.pause()
      server.write(first.subarray(0, 10))
      // There is nobody to ask whether ten bytes have arrived.
      void pause(100)
        .then(() => gateway.reload({ listener: 'tls: { floor: mozilla-modern }' }))
        .then(outcome => {
          t.same(outcome, { ok: true })
          server.write(first.subarray(10))
          client.pipe(server)
          server.pipe(client)
        })
    })
  }).listen(0, '127.0.0.1')
  t.teardown(() => line.close())
  await once(line, 'listening')
  const { port } = line.address() as AddressInfo // listening on TCP: always an AddressInfo
  // While somebody is there on the old terms they are kept; with nobody there, the late one is cut and may come again.
  const somebody = connectTls({
    host: '127.0.0.1',
    port: gateway.port,
    servername: 'localhost',
    ca: gateway.authority.caPem,
  })
  t.teardown(() => somebody.destroy())
  await once(somebody, 'secureConnect')
  const tls = { host: '127.0.0.1', port, maxVersion: 'TLSv1.2' } as const
  const headers = { host: `localhost:${gateway.port}`, connection: 'keep-alive' }
  const late = await gateway.ask('/', { tls, headers })
  t.match(late, { status: 200, headers: { connection: 'close' } }, 'begun on the old terms')
  await t.rejects(gateway.ask('/', { tls: { maxVersion: 'TLSv1.2' } }), 'TLS 1.2 is over for everybody else')
  t.equal((await gateway.ask('/')).status, 200)
})
