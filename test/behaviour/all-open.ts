/**
 * Everything that a client with a certificate can have open at one time: HTTP/1.1, HTTP/2, a WebSocket, a stream.
 *
 * The gateway has a stream `raw` that echoes; its upstream answers /, never answers /hang, and echoes on /socket.
 */
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect, type TLSSocket } from 'node:tls'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import type { TestClient } from '../fixture/authority.ts'
import type { TestGateway } from '../fixture/gateway.ts'
import type { Respond } from '../fixture/upstream.ts'
import { hang, reply, upgradeEcho } from '../fixture/upstream-answers.ts'
import { within } from './app.ts'

export const respondToAll: Respond = ({ target }) =>
  target === '/hang' ? hang : target === '/socket' ? upgradeEcho() : reply({ body: 'in' })

export interface Open {
  readonly what: string
  readonly isOpen: () => boolean
  /** Of a WebSocket: the code that it was closed with. */
  readonly code?: () => number | undefined
}

/** Everything that a client can have open at one time. */
export async function openAll(t: Test, gateway: TestGateway, client: TestClient): Promise<readonly Open[]> {
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
  let code: number | undefined
  socket.once('close', closed => {
    code = closed
  })
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
    { what: 'a WebSocket', isOpen: () => socket.readyState === WebSocket.OPEN, code: () => code },
    watched('a stream', bytes),
  ]
}

/** All of it is cut within so many milliseconds, and a WebSocket is told by what right. */
export async function seeCut(t: Test, all: readonly Open[], milliseconds: number): Promise<void> {
  for (const { what, isOpen, code } of all) {
    t.ok(await within(milliseconds, () => !isOpen()), `${what} is cut`)
    if (code !== undefined) t.ok(await within(1_000, () => code() === 1008), `${what}: ${code()}`)
  }
}
