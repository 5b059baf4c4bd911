/**
 * Binds plain HTTP servers: all addresses or none.
 *
 * What is answered there is the caller's; such a server has no exchanges that would be worth draining.
 */
import { once } from 'node:events'
import { createServer, type RequestListener, type ServerOptions } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { BindAddress } from '../config/scalars.ts'
import { listenOptions } from './listen-options.ts'
import type { Bound } from './secure-listener.ts'

const limits: ServerOptions = {
  requestTimeout: 10_000,
  headersTimeout: 10_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 2_000,
}

export async function bindPlain(name: string, binds: readonly BindAddress[], answer: RequestListener): Promise<Bound> {
  const servers = binds.map(bind => ({ bind, server: createServer(limits, answer) }))
  const close = async () => {
    for (const { server } of servers) server.closeAllConnections()
    await Promise.all(servers.map(({ server }) => new Promise<void>(resolve => server.close(() => resolve()))))
  }
  const urls: string[] = []
  try {
    for (const { bind, server } of servers) {
      server.listen(listenOptions(bind, binds))
      await once(server, 'listening')
      // A bound TCP server has an AddressInfo; string and null are for pipes and unbound ones.
      const { port } = server.address() as AddressInfo
      urls.push(`http://${bind.host.includes(':') ? `[${bind.host}]` : bind.host}:${port}`)
    }
  } catch (cause) {
    await close()
    throw cause
  }
  return { name, urls, drain: close, [Symbol.asyncDispose]: close }
}
