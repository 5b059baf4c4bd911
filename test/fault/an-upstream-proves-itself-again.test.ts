// An upstream shows a certificate that proves nothing, and then the right one: its requests are 502 as long as that lasts, no
// byte of them goes there, and nothing has to be touched afterwards.
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { startTestGateway } from '../fixture/gateway.ts'

t.test('for another name, and of another authority', async t => {
  const [authority, strangers] = [await startAuthority(t), await startAuthority(t)]
  const terms = ({ certPem, keyPem }: { certPem: string; keyPem: string }) => ({ cert: certPem, key: keyPem })
  const right = terms(await authority.server(['localhost'], []))
  const wrong = {
    'for another name': terms(await authority.server(['elsewhere.example.org'], [])),
    'of another authority': terms(await strangers.server(['localhost'], [])),
  }
  let received = 0
  const server = createServer(right, (_, answer) => {
    received++
    answer.end('in')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo // a bound TCP server has one
  const gateway = await startTestGateway(t, {
    authority,
    yaml: `
upstreams: { app: { kind: generic, url: "https://localhost:${port}", tls: { ca: ${authority.caFile} } } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const ask = (method: string) => gateway.ask('/x', { method, ...(method === 'POST' ? { body: 'an image' } : {}) })
  t.equal((await ask('GET')).status, 200)
  for (const [name, shown] of Object.entries(wrong)) {
    server.setSecureContext(shown)
    t.equal((await ask('GET')).status, 200, `${name}: a connection that proved itself goes on`)
    server.closeAllConnections()
    const before = received
    for (const method of ['GET', 'POST']) {
      const answer = await ask(method)
      t.match([answer.status, JSON.parse(answer.text)], [502, { reason: 'upstream-untrusted' }], `${name}: ${method}`)
    }
    t.equal(received, before, `${name}: nothing of them went there`)
    t.ok(gateway.log().some(({ fault, upstream }) => fault === 'upstream-untrusted' && upstream === 'app'))
    server.setSecureContext(right)
    t.equal((await ask('POST')).status, 200, `${name}: the right one again, with the next request`)
  }
})
