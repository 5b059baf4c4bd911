/**
 * Binds plain HTTP servers: all addresses or none.
 *
 * What is answered there is the caller's; such a server has no exchanges that would be worth draining. It has few places:
 * an answer takes a moment, and whoever takes longer makes room for the next one.
 */
import { once } from 'node:events'
import { createServer, type RequestListener, type ServerOptions } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { BindAddress } from '../config/scalars.ts'
import { plainAddress } from './client-address.ts'
import { listenOptions } from './listen-options.ts'
import { createPlaces, type NoRoom } from './places.ts'
import type { Bound } from './secure-listener.ts'

const limits: ServerOptions = {
  requestTimeout: 10_000,
  headersTimeout: 10_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 2_000,
}

/** Connections at one time, and how many of them may come from one address. */
export const plainPlaces = 256
const share = plainPlaces / 2

/** @param crowd  told of a connection that found no room, or made it for another */
export async function bindPlain(
  name: string,
  binds: readonly BindAddress[],
  answer: RequestListener,
  crowd: (kind: NoRoom | 'let-go', address: string) => void = () => undefined,
): Promise<Bound> {
  const places = createPlaces(
    () => ({ places: plainPlaces, perAddress: share }),
    () => false,
  )
  const servers = binds.map(bind => {
    const server = createServer(limits, answer)
    server.on('connection', socket => {
      const address = plainAddress(socket.remoteAddress)
      const place = places.take(address, () => {
        crowd('let-go', address)
        socket.destroy()
      })
      if (typeof place !== 'string') return void socket.once('close', place.leave)
      crowd(place, address)
      socket.destroy()
    })
    return { bind, server }
  })
  const close = async () => {
    for (const { server } of servers) server.closeAllConnections()
    await Promise.all(servers.map(({ server }) => new Promise<void>(resolve => server.close(() => resolve()))))
  }
  const urls: string[] = []
  try {
    for (const { bind, server } of servers) {
      server.listen(listenOptions(bind, binds))
      await once(server, 'listening')
      // Accepting failed (too many open files): the next one may get in again.
      server.on('error', () => undefined)
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
