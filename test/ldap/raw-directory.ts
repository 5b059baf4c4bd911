/**
 * A port that takes connections as a directory would, and answers the first bytes with whatever a test says.
 */
import { createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

export interface RawDirectory {
  readonly url: string
  /** What came in, over all connections. */
  readonly received: Buffer[]
  readonly connections: number
}

/** @param answer  what to do with each chunk that comes; absent: nothing is ever said */
export async function startRawDirectory(
  t: Pick<Test, 'teardown'>,
  answer: (socket: Socket, chunk: Buffer) => void = () => undefined,
): Promise<RawDirectory> {
  const sockets = new Set<Socket>()
  const received: Buffer[] = []
  let connections = 0
  const server = createServer(socket => {
    connections++
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    socket.on('data', chunk => {
      received.push(chunk)
      answer(socket, chunk)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise<void>(resolve => server.close(() => resolve()))
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `ldap://127.0.0.1:${address.port}`,
    received,
    get connections() {
      return connections
    },
  }
}
