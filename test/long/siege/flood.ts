/**
 * The attackers, as a process: holds so many connections, each misbehaving in one way, until it is killed.
 */

import { connect as connectTcp, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { Attack, FloodOrder, FloodReport } from './orders.ts'

/** Milliseconds between two signs of life of an attack that gives any. */
const drip = 8_000
const host = '127.0.0.1'

const heads: Readonly<Record<Exclude<Attack, 'silent' | 'half-handshake'>, string>> = {
  idle: 'GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'half-closed': 'GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'slow-head': 'GET /small HTTP/1.1\r\nHost: localhost\r\n',
  'slow-body': 'POST /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n',
  'zero-window': 'GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'slow-reader': 'GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n',
}

/** The first flight of a real client. */
async function clientHello(): Promise<Buffer> {
  const written = Promise.withResolvers<Buffer>()
  const wire = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      written.resolve(chunk)
      done()
    },
  })
  connectTls({ socket: wire, servername: 'localhost' }).on('error', () => undefined)
  return await written.promise
}

/** @param every  repeats something for as long as the connection lasts */
function misbehave(attack: Attack, socket: Socket, hello: Buffer, every: (act: () => void) => void): void {
  if (attack === 'silent') return void socket.resume()
  if (attack === 'half-handshake') {
    socket.resume().write(hello)
    return
  }
  socket.write(heads[attack])
  if (attack === 'half-closed') socket.once('data', () => socket.end())
  if (attack === 'slow-head') every(() => socket.write('X-More: x\r\n'))
  if (attack === 'slow-body') every(() => socket.write(Buffer.alloc(2 * 256 * (drip / 1_000), 'x')))
  if (attack === 'zero-window' || attack === 'slow-reader') {
    socket.once('data', () => socket.pause())
    if (attack === 'slow-reader') every(() => socket.once('data', () => socket.pause()).resume())
    return
  }
  socket.resume()
}

async function flood({ attack, port, count, addresses, pace, again }: FloodOrder): Promise<void> {
  const hello = await clientHello()
  let [open, opened, closed] = [0, 0, 0]
  const openOne = () => {
    const from = opened % addresses
    const localAddress = `127.1.${Math.floor(from / 250)}.${(from % 250) + 1}`
    open++
    opened++
    const plain = attack === 'silent' || attack === 'half-handshake'
    const socket = plain
      ? connectTcp({ host, port, localAddress, allowHalfOpen: true })
      : // An attacker does not care whom it attacks, and has no authority to ask.
        connectTls({ ...{ host, port, localAddress }, servername: 'localhost', rejectUnauthorized: false })
    const timers: NodeJS.Timeout[] = []
    socket.on('error', () => undefined) // told by 'close'
    socket.once('end', () => socket.destroy())
    socket.once('close', () => {
      open--
      closed++
      for (const timer of timers) clearInterval(timer)
    })
    const act = () => misbehave(attack, socket, hello, what => timers.push(setInterval(what, drip)))
    if (plain) socket.once('connect', act)
    else socket.once('secureConnect', act)
  }
  const step = 50
  setInterval(() => {
    const most = ((opened < count ? pace : again) * step) / 1_000
    for (let at = 0; at < most && open < count; at++) openOne()
  }, step)
  setInterval(() => process.send?.({ open, opened, closed } satisfies FloodReport), 250)
}

process.once('message', order => void flood(order as FloodOrder)) // the only kind of message that it is sent
// Whoever started us is gone.
process.once('disconnect', () => process.exit())
