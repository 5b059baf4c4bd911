/**
 * A line of a given rate and round trip, as a relay between client and server: what comes is held back until its time.
 *
 * Both ways have the rate for themselves, all connections share it. It delays bytes and not packets: no loss, and TCP's
 * slow start is that of the loopback. Not to forget: like a router it holds little; then whoever sends must wait.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'

export interface SlowLineTerms {
  /** Where it leads to, on 127.0.0.1. */
  readonly port: number
  readonly megabitsPerSecond: number
  /** ms, there and back. */
  readonly roundTrip: number
}

/** Bytes on their way and not yet there: what fits on the line, and as much in front of it. */
const mostHeld = 512 * 1024

/** @returns the port that clients connect to */
export async function startSlowLine(
  t: Pick<Test, 'teardown'>,
  { port, megabitsPerSecond, roundTrip }: SlowLineTerms,
): Promise<number> {
  const bytesPerMs = (megabitsPerSecond * 1e6) / 8 / 1000
  const carry = (from: Socket, to: Socket, way: { freeAt: number }) => {
    const queue: { readonly chunk: Buffer | undefined; readonly due: number }[] = []
    let held = 0
    let isDelivering = false
    const deliver = async () => {
      if (isDelivering) return
      isDelivering = true
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const wait = next.due - performance.now()
        if (wait > 0.5) await pause(wait)
        if (next.chunk === undefined) to.end()
        else {
          to.write(next.chunk)
          held -= next.chunk.length
        }
        if (held < mostHeld) from.resume()
      }
      isDelivering = false
    }
    const enter = (chunk: Buffer | undefined) => {
      way.freeAt = Math.max(way.freeAt, performance.now()) + (chunk?.length ?? 0) / bytesPerMs
      queue.push({ chunk, due: way.freeAt + roundTrip / 2 })
      void deliver()
    }
    from.on('data', chunk => {
      held += chunk.length
      if (held >= mostHeld) from.pause()
      enter(chunk)
    })
    from.on('end', () => enter(undefined))
    from.on('error', () => to.destroy())
    from.on('close', () => void (from.readableEnded || to.destroy()))
  }
  const [there, back] = [{ freeAt: 0 }, { freeAt: 0 }]
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, client => {
    const upstream = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    for (const socket of [client, upstream]) {
      socket.setNoDelay()
      open.add(socket)
      socket.once('close', () => open.delete(socket))
    }
    carry(client, upstream, there)
    carry(upstream, client, back)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return address.port
}
