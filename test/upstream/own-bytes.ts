/**
 * Bodies in which every byte tells whose it is, a server that sends them in all ways and breaks off, and what is seen of it.
 *
 * A body is blocks of eight bytes: the number of its request, and where in the body they stand. So bytes of another
 * request, lost ones, doubled ones and such in the wrong order are all seen.
 */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { causeLine } from '../../src/kernel/fault.ts'
import { createRandom, type Random } from '../attack/differential/random.ts'

/** Bytes `from` to `from + length - 1` of the body with this number. */
export function ownBytes(id: number, from: number, length: number): Buffer {
  const first = from >> 3
  const last = (from + length + 7) >> 3
  const words = new Uint32Array((last - first) * 2)
  for (let at = first; at < last; at++) {
    words[(at - first) * 2] = id
    words[(at - first) * 2 + 1] = at
  }
  return Buffer.from(words.buffer, from - first * 8, length)
}

/** Counts the bytes of a body as they come. */
export class Counted {
  count = 0
  isOwn = true
  readonly #id: number

  constructor(id: number) {
    this.#id = id
  }

  see(bytes: Buffer): void {
    this.isOwn &&= ownBytes(this.#id, this.count, bytes.length).equals(bytes)
    this.count += bytes.length
  }
}

/** What is asked with this number, and what becomes of it: the same for whoever looks. */
export interface Plan {
  readonly id: number
  /** Bytes of the request's body; undefined: a GET. */
  readonly upload: number | undefined
  readonly isLengthSaid: boolean
  readonly size: number
  readonly way: 'length' | 'chunks' | 'until the end'
  /** The server breaks off when so many bytes went out. */
  readonly breaks: { readonly after: number; readonly how: 'RST' | 'FIN' } | undefined
  /** The client goes when so many bytes have come; 0: after a moment. */
  readonly leaves: number | undefined
  /** The server answers before it has read the request. */
  readonly isEarly: boolean
  readonly isSlow: boolean
}

const uploadOf = 0x80_00_00_00
const sizes = [0, 1, 8, 100, 1_000, 1_000, 1_000, 5_000, 30_000, 65_000, 130_000, 300_000]
const anySize = (random: Random): number => {
  const size = random.pick(sizes)
  return size === 0 ? 0 : size + random.below(size)
}

export function planOf(id: number): Plan {
  const random = createRandom(id)
  const size = random.oneIn(16) ? 700_000 + random.below(3_000_000) : anySize(random)
  const way = random.pick(['length', 'length', 'chunks', 'until the end'] as const)
  const upload = random.oneIn(3) ? anySize(random) : undefined
  return {
    id,
    upload,
    isLengthSaid: random.oneIn(2),
    size,
    way,
    // Where the end of the connection is the end of the answer, nobody can tell an early one.
    breaks:
      size > 0 && random.oneIn(7)
        ? { after: random.below(size), how: way === 'until the end' ? 'RST' : random.pick(['RST', 'FIN'] as const) }
        : undefined,
    leaves: random.oneIn(6) ? (random.oneIn(3) ? 0 : random.below(size + 1)) : undefined,
    // Past a certain size the gateway ends the connection of a client that it has answered early.
    isEarly: upload !== undefined && upload < 300_000 && random.oneIn(5),
    isSlow: random.oneIn(12),
  }
}

export interface OwnBytesServer {
  readonly url: string
  /** Request bodies that had bytes of others in them, or looked whole and were not. */
  readonly wrong: readonly string[]
  readonly uploads: number
}

/** @param tls  present: over TLS, as localhost */
export async function startOwnBytes(t: Pick<Test, 'teardown'>, tls?: ServerOptions): Promise<OwnBytesServer> {
  const wrong: string[] = []
  let uploads = 0
  const read = async (message: IncomingMessage, { id, upload = 0 }: Plan) => {
    const counted = new Counted((id | uploadOf) >>> 0)
    message.on('data', (bytes: Buffer) => counted.see(bytes))
    await new Promise(resolve => message.once('close', resolve).once('end', resolve))
    if (!counted.isOwn) wrong.push(`request ${id}: bytes of another`)
    if (message.complete && counted.count !== upload) wrong.push(`request ${id}: ${counted.count} of ${upload} bytes`)
    if (message.complete && upload > 0) uploads++
  }
  /** By the port of the client: over TLS only the connection below can be reset. */
  const wires = new Map<number | undefined, Socket>()
  const serve: RequestListener = (message, response) => {
    message.on('error', () => undefined)
    response.on('error', () => undefined)
    const plan = planOf(Number(message.url?.slice(1)))
    const isRead = read(message, plan)
    const reset = () => wires.get(message.socket.remotePort)?.resetAndDestroy()
    void (plan.isEarly ? answer(response, plan, reset) : isRead.then(() => answer(response, plan, reset)))
  }
  const server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve)
  server.on('connection', (wire: Socket) => wires.set(wire.remotePort, wire))
  // A connection that the server ends while an upload begins on it would be a failure of nobody.
  server.keepAliveTimeout = 60_000
  await new Promise<void>(resolve => server.listen({ port: 0, host: '127.0.0.1', backlog: 2048 }, resolve))
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  return {
    url: `${tls === undefined ? 'http://127.0.0.1' : 'https://localhost'}:${(server.address() as AddressInfo).port}`, // bound to TCP
    wrong,
    get uploads() {
      return uploads
    },
  }
}

async function answer(
  response: ServerResponse,
  { id, size, way, breaks, isSlow }: Plan,
  reset: () => void,
): Promise<void> {
  const random = createRandom(id + 1)
  // The response has it only when the one before is out.
  const { socket } = response.req
  if (response.destroyed) return
  response.setHeader('X-Id', String(id))
  if (way === 'length') response.setHeader('Content-Length', String(size))
  if (way === 'until the end') {
    response.shouldKeepAlive = false
    response.useChunkedEncodingByDefault = false
  }
  if (random.oneIn(2)) response.flushHeaders()
  const most = random.pick([3_000, 20_000, 100_000])
  for (let at = 0; at < size; ) {
    const length = Math.min(size - at, 1 + random.below(most))
    if (breaks !== undefined && at + length > breaks.after) break
    const isTaken = response.write(ownBytes(id, at, length))
    at += length
    if (!isTaken) await drainOf(response)
    if (isSlow && random.oneIn(4)) await pause(1)
    if (response.destroyed) return
  }
  if (breaks === undefined) response.end()
  else if (breaks.how === 'FIN') socket.end()
  else reset()
}

function drainOf(response: ServerResponse): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}

/** The body that goes up with a request. */
export async function* uploadBytes({ id, upload = 0 }: Plan): AsyncGenerator<Buffer> {
  const random = createRandom(id + 2)
  const most = random.pick([2_000, 10_000, 70_000])
  for (let at = 0; at < upload; ) {
    const length = Math.min(upload - at, 1 + random.below(most))
    yield ownBytes((id | uploadOf) >>> 0, at, length)
    at += length
    if (random.oneIn(16)) await pause(0)
  }
}

/** What a client saw. */
export interface Seen {
  readonly status: number
  /** The number that the head of the answer tells. */
  readonly id: string
  readonly body: Readable | Buffer
}

export interface Sums {
  whole: number
  broken: number
  left: number
  readonly wrong: string[]
}

export type AskPlan = (plan: Plan, signal: AbortSignal) => Promise<Seen>

/** Asks for `from` to `from + count - 1`, so many at one time. */
export async function askAll(ask: AskPlan, from: number, count: number, atOnce: number): Promise<Sums> {
  const sums: Sums = { whole: 0, broken: 0, left: 0, wrong: [] }
  let next = from
  const work = async () => {
    for (let id = next++; id < from + count; id = next++) await askOne(ask, planOf(id), sums)
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return sums
}

async function askOne(ask: AskPlan, plan: Plan, sums: Sums): Promise<void> {
  const { id, size, leaves, isSlow } = plan
  const leaving = new AbortController()
  const leave = () => leaving.abort(new Error('left'))
  if (leaves === 0) setTimeout(leave, id % 4)
  const counted = new Counted(id)
  try {
    const seen = await ask(plan, leaving.signal)
    if (seen.status !== 200) {
      sums.broken++
      if (plan.breaks === undefined && !plan.isEarly) sums.wrong.push(`${id}: ${seen.status}`)
      if (!Buffer.isBuffer(seen.body)) seen.body.on('error', () => undefined).resume()
      return
    }
    if (seen.id !== String(id)) sums.wrong.push(`${id}: the head of ${seen.id}`)
    for await (const bytes of Buffer.isBuffer(seen.body) ? [seen.body] : seen.body) {
      counted.see(bytes)
      if (!counted.isOwn) sums.wrong.push(`${id}: bytes of another before ${counted.count}`)
      if (leaves !== undefined && leaves > 0 && counted.count >= leaves) leave()
      if (isSlow && counted.count % 4 === 0) await pause(1)
    }
    sums.whole++
    if (counted.count !== size) sums.wrong.push(`${id}: ${counted.count} bytes of ${size}`)
    if (plan.breaks !== undefined && counted.count !== size) sums.wrong.push(`${id}: looks whole`)
  } catch (error) {
    if (leaving.signal.aborted) sums.left++
    else {
      sums.broken++
      if (plan.breaks === undefined && !plan.isEarly) sums.wrong.push(`${id}: ${causeLine(error)}`)
    }
  }
}
