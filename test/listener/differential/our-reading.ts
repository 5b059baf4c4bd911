/**
 * Our own server side from its socket to its exchanges, fed from memory: all of it but TLS.
 */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Limits } from '../../../src/config/listener.ts'
import type { Connection, Exchange } from '../../../src/listener/exchange.ts'
import { createHttp1 } from '../../../src/listener/http1.ts'
import { aTurn } from '../../upstream/differential/reading.ts'
import { type Given, type Reading, type Taken, Wire } from './reading.ts'

export const limits = Limits.parse({})

const connection: Connection = {
  ...{ address: '127.0.0.1', listener: 'web', serverName: 'localhost', publicOrigin: undefined },
  ...{ certificate: 'none', protocol: 'HTTP/1.1', socket: undefined as unknown as Connection['socket'] }, // nobody asks
}

const aTick = (): Promise<void> => new Promise(resolve => process.nextTick(resolve))

/** Nothing has happened for so many turns: what one thing leads to comes in the next turn. */
const quiet = 4

export async function readByUs({ pieces, pace, early }: Given): Promise<Reading> {
  const taken: Taken[] = []
  let refused: string | undefined
  let [afterwards, refusedAt, fed, news] = [0, 0, 0, 0]
  const refuse = (why: string) => {
    if (refused !== undefined) return
    refused = why
    refusedAt = fed
  }
  /** @returns undefined for one that nobody may read any further */
  const take = ({ request }: Exchange, isUpgrade: boolean): Taken | undefined => {
    news++
    if (refused !== undefined) afterwards++
    if (request.malformed !== undefined) {
      refuse(request.malformed)
      return undefined
    }
    const { method, target, headers } = request
    const one: Taken = { method, target, headers, body: Buffer.alloc(0), isWhole: !early || isUpgrade, isUpgrade }
    taken.push(one)
    return one
  }
  const answer = (exchange: Exchange) => {
    const { request, reply } = exchange
    const one = take(exchange, false)
    if (one === undefined) return reply.send(400, [], '')
    const { body } = request
    const ok = () => reply.send(200, [], 'ok')
    if (body === undefined) {
      one.isWhole = true
      return ok()
    }
    if (early) {
      one.isWhole = undefined
      return ok()
    }
    one.isWhole = false
    if (request.expectsContinue) reply.continue()
    body.on('data', (part: Buffer) => {
      news++
      one.body = Buffer.concat([one.body, part])
    })
    body.on('end', () => {
      one.isWhole = true
      ok()
    })
  }
  let isHandedOver = false
  const socket = new Wire()
  const engine = createHttp1(
    {
      exchange: answer,
      upgrade(exchange) {
        isHandedOver = true
        const one = take(exchange, true)
        if (one !== undefined) one.body = exchange.upgrade.early
      },
      malformed: (_connection, why) => refuse(why),
    },
    () => connection,
    limits,
  )
  // Of a socket, the engine uses what every stream has.
  engine.accept(socket as Duplex as Socket)
  const settle = async () => {
    for (let still = 0, before = news; still < quiet; still++) {
      await aTurn()
      if (before !== news) still = 0
      before = news
    }
  }
  await aTurn()
  for (const piece of pieces) {
    fed++
    socket.feed([piece])
    for (let more = 0; more < 3 && pace === 'in one turn'; more++) await aTick()
    for (let more = 0; more < 2 && pace === 'in turns'; more++) await aTurn()
  }
  await settle()
  const last = taken.at(-1)
  if (last?.isUpgrade === true && refused === undefined) last.body = Buffer.concat([last.body, rest(socket)])
  const declined = / (405|417) /.exec(socket.said)?.[1]
  if (declined !== undefined) refuse(declined)
  const isOver = socket.writableEnded || socket.destroyed || isHandedOver
  engine.close()
  socket.destroy()
  return { taken: [...taken], refused, isOver, afterwards, refusedAt }
}

/** What nobody has read yet. */
function rest(socket: Wire): Buffer {
  const parts: Buffer[] = []
  for (let part = socket.read(); part !== null; part = socket.read()) parts.push(part)
  return Buffer.concat(parts)
}
