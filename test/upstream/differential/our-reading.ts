/**
 * Our own client from its call to its connection, fed from memory: all of it but the pool.
 */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Http1Call } from '../../../src/upstream/http1-call.ts'
import { Http1Connection } from '../../../src/upstream/http1-connection.ts'
import { ReadBuffers } from '../../../src/upstream/read-buffers.ts'
import { requestHead } from '../../../src/upstream/request-head.ts'
import type { UpstreamResponse } from '../../../src/upstream/upstream.ts'
import { asking } from '../opened.ts'
import { aTurn, type Given, MemorySocket, type Reading } from './reading.ts'

export async function readByUs({ pieces, method }: Given): Promise<Reading> {
  const socket = new MemorySocket()
  let kept = false
  let ended = false
  // Of a socket, the connection uses what every stream has.
  const buffers = new ReadBuffers()
  const connection = new Http1Connection(socket as Duplex as Socket, buffers, 0, () => undefined)
  socket.on('data', readInto(buffers))
  const request = asking({ method })
  const owner = {
    name: 'one',
    tick: 0,
    onReady: (call: Http1Call) => call.begin(connection, false),
    onFree(free: Http1Connection) {
      kept = true
      free.free()
    },
  }
  const answered = new Promise<UpstreamResponse>((resolve, reject) => {
    const settled = {
      resolve,
      reject,
      ended() {
        ended = true
      },
    }
    new Http1Call(request, requestHead(request, 'x'), owner, settled).start()
  })
  const read = answered.then(readAll, (error: Error) => ({ refused: causeOf(error), status: 0, headers: [], body: [] }))
  socket.feed(pieces)
  await aTurn()
  const endedFirst =
    ended &&
    !socket.readableEnded &&
    (await Promise.race([
      answered.then(
        () => true,
        () => false,
      ),
    ]))
  // What came behind the end closes it.
  const isKept = kept && !connection.isClosed
  socket.hangUp()
  const { body, ...rest } = await read
  socket.destroy()
  return { ...rest, body: Buffer.concat(body), endedFirst: endedFirst && rest.refused === undefined, kept: isKept }
}

/** As Node reads a socket: into the memory that it is given, and no more than it holds. */
function readInto({ onread }: ReadBuffers) {
  let room = onread.buffer()
  return (bytes: Buffer) => {
    for (let at = 0; at < bytes.length; ) {
      const count = bytes.copy(room, 0, at)
      at += count
      onread.callback(count)
      room = onread.buffer()
    }
  }
}

const causeOf = (error: Error): string => (error.cause instanceof Error ? error.cause.message : error.message)

async function readAll({ status, headers, body }: UpstreamResponse) {
  const parts: Buffer[] = []
  if (Buffer.isBuffer(body)) return { refused: undefined, status, headers, body: [body] }
  try {
    for await (const part of body) parts.push(part)
  } catch (error) {
    return { refused: error instanceof Error ? causeOf(error) : 'odd', status, headers, body: parts }
  }
  return { refused: undefined, status, headers, body: parts }
}
