// A session of TLS is taken up again by every process of a gateway, at the entrance where it was opened and on the terms of then,
// and nowhere else; where certificates are asked for, not even there.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mock } from 'node:test'
import { type ConnectionOptions, connect } from 'node:tls'
import t, { type Test } from 'tap'
import { Terms } from '../../src/config/terms.ts'
import { openDoor } from '../../src/listener/tls-door.ts'
import { readKeystore } from '../../src/tls/keystore.ts'
import { effectiveTerms } from '../../src/tls/protocol-floor.ts'
import { type ServerTrust, serverTrust } from '../../src/tls/server-context.ts'
import { createTicketSecret } from '../../src/tls/tickets.ts'
import { readTruststore } from '../../src/tls/truststore.ts'
import { startAuthority } from '../fixture/authority.ts'

const authority = await startAuthority(t)
const pairs = [await authority.server(['localhost']), await authority.server(['localhost'])] as const
const fail = (key: string, message: string) => void t.fail(`${key}: ${message}`)

function trustWith({ pair = pairs[0], clients = 'none' as ServerTrust['clients'], ciphers = '' } = {}): ServerTrust {
  const keystore = readKeystore({ certificate: pair.certFile, key: pair.keyFile }, Date.now(), fail)
  const terms = effectiveTerms(Terms.parse({ floor: 'mozilla-intermediate' }), fail)
  if (keystore === undefined || terms === undefined) throw new Error('no door without keystore and terms')
  const truststore = clients === 'none' ? undefined : readTruststore(authority.caFile, Date.now(), fail)
  const own = ciphers === '' ? terms : { ...terms, ciphers }
  return serverTrust({ terms: own, keystores: [keystore], clients, truststore, depth: 0, only: undefined })
}

async function doorOn(t: Test, tickets: { current: Buffer }, trust = trustWith(), entrance = 'listener web') {
  const door = await openDoor([{ host: '127.0.0.1', port: 0 }], trust, {
    ...{ entrance, tickets, alpn: [] },
    limits: () => ({ connections: 100, connectionsPerAddress: undefined, handshake: 10_000 }),
    isProxy: () => false,
    isProxied: () => false,
    arrived: socket => socket.end('hello'),
    trouble: () => undefined,
    connections: () => undefined,
  })
  t.teardown(() => door[Symbol.asyncDispose]())
  return { ...door, port: door.addresses[0]?.port ?? 0 }
}

async function visit({ port }: { readonly port: number }, options: ConnectionOptions) {
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: authority.caPem, ...options })
  let session: Buffer | undefined
  socket.on('session', given => {
    session = given
  })
  await once(socket, 'data')
  const reused = socket.isSessionReused()
  await socket.toArray() // the ticket comes before the last word
  return { session, reused }
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  const range = { minVersion: version, maxVersion: version }
  const opened = async (door: { readonly port: number }) => {
    const { session = Buffer.alloc(0), reused } = await visit(door, range)
    t.equal(reused, false)
    return async (elsewhere: { readonly port: number }) => (await visit(elsewhere, { ...range, session })).reused
  }

  t.test(`${version}: it counts in another process of the gateway, and at no other entrance or gateway`, async t => {
    const tickets = { current: randomBytes(48) }
    const isReused = await opened(await doorOn(t, tickets))
    t.equal(await isReused(await doorOn(t, { current: Buffer.from(tickets.current) })), true, 'another process')
    t.equal(await isReused(await doorOn(t, tickets, trustWith(), 'listener other')), false, 'another listener')
    t.equal(await isReused(await doorOn(t, tickets, trustWith(), 'stream web')), false, 'a stream')
    t.equal(await isReused(await doorOn(t, { current: randomBytes(48) })), false, 'another gateway')
    t.equal(await isReused(await doorOn(t, tickets, trustWith({ pair: pairs[1] }))), false, 'another certificate')
    t.equal(
      await isReused(await doorOn(t, tickets, trustWith({ clients: 'optional' }))),
      false,
      'asks for certificates',
    )
  })

  t.test(`${version}: it outlives a reload that changes nothing, and no other`, async t => {
    const door = await doorOn(t, { current: randomBytes(48) })
    const isReused = await opened(door)
    door.replace(trustWith())
    t.equal(await isReused(door), true, 'the same terms')
    door.replace(
      trustWith({ ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256' }),
    )
    t.equal(await isReused(door), false, 'other ciphers')
    door.replace(trustWith({ clients: 'required' }))
    t.equal(await isReused(door), false, 'certificates are demanded')
  })

  t.test(`${version}: a new secret ends the old tickets`, async t => {
    const tickets = { current: randomBytes(48) }
    const door = await doorOn(t, tickets)
    const isReused = await opened(door)
    t.equal(await isReused(door), true)
    tickets.current = randomBytes(48)
    t.equal(await isReused(door), false)
    const again = await opened(door)
    t.equal(await again(door), true, 'and gives new ones')
  })

  t.test(`${version}: where certificates are asked for it counts not even where it was opened`, async t => {
    for (const clients of ['optional', 'required'] as const) {
      const door = await doorOn(t, { current: randomBytes(48) }, trustWith({ clients }))
      const isReused = await opened(door)
      t.equal(await isReused(door), false, clients)
    }
  })
}

t.test('twice a day there is a new secret, and whoever shares it is told', t => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const told: Buffer[] = []
  using secret = createTicketSecret(next => told.push(next))
  const first = secret.current
  mock.timers.tick(12 * 3_600_000)
  t.equal(told.length, 1)
  t.equal(secret.current, told[0])
  t.notOk(first.equals(secret.current))
  t.end()
})
