// IPv4 and IPv6 of one port can be bound side by side, and `[::]` alone takes both.

import { once } from 'node:events'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import t from 'tap'
import { listenOptions } from '../../src/listener/listen-options.ts'

t.test('an IPv6 address keeps to itself only where IPv4 stands beside it', async t => {
  const [v4, v6] = [
    { host: '0.0.0.0', port: 443 },
    { host: '::', port: 443 },
  ]
  t.match(listenOptions(v6, [v4, v6]), { host: '::', ipv6Only: true })
  t.match(listenOptions(v4, [v4, v6]), { host: '0.0.0.0', ipv6Only: false })
  t.match(listenOptions(v6, [v6]), { ipv6Only: false })
  t.match(listenOptions(v6, [{ ...v4, port: 80 }, v6]), { ipv6Only: false })
})

t.test('both are bound for real', async t => {
  const hasIpv6 = Object.values(networkInterfaces()).some(all => all?.some(({ family }) => family === 'IPv6'))
  if (!hasIpv6) return t.pass('this machine has no IPv6')
  const probe = createServer().listen(0, '0.0.0.0')
  await once(probe, 'listening')
  const address = probe.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  await new Promise(resolve => probe.close(resolve))
  const binds = [
    { host: '0.0.0.0', port },
    { host: '::', port },
  ]
  for (const bind of binds) {
    const server = createServer().listen(listenOptions(bind, binds))
    t.teardown(() => server.close())
    await once(server, 'listening')
    t.pass(`${bind.host} is bound`)
  }
})
