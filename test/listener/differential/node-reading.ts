/**
 * Node's own server, llhttp as strict as it gets, fed from memory. It never answers, so that it reads all there is.
 */
import { createServer, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { aTurn } from '../../upstream/differential/reading.ts'
import { limits } from './our-reading.ts'
import { type Given, type Reading, type Taken, Wire } from './reading.ts'

interface Record {
  readonly taken: Taken[]
  refused: string | undefined
  isOver: boolean
  /** Its upgrade was declined: of what stands behind it Node loses all that came in the same read. */
  declined: IncomingMessage | undefined
}

const records = new WeakMap<Duplex, Record>()

const recordOf = (socket: Duplex): Record => {
  const record = records.get(socket)
  if (record === undefined) throw new Error('a socket that nobody gave it')
  return record
}

const isWebSocket = ({ method, headers }: IncomingMessage): boolean =>
  method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket'

const server = createServer({
  maxHeaderSize: limits.headerSize,
  insecureHTTPParser: false,
  // It would answer by itself, and read on.
  requireHostHeader: false,
  requestTimeout: 0,
  headersTimeout: 0,
  shouldUpgradeCallback(message) {
    if (isWebSocket(message)) return true
    recordOf(message.socket).declined = message
    return false
  },
})
server.maxHeadersCount = 0

function taken(message: IncomingMessage, isUpgrade: boolean): Taken {
  const { method = '', url = '', rawHeaders: list } = message
  const headers = Array.from({ length: list.length / 2 }, (_, at) => {
    return [(list[2 * at] ?? '').toLowerCase(), list[2 * at + 1] ?? ''] as const
  })
  const [, rest] = /^https?:\/\/[^/?#]*(.*)$/i.exec(url) ?? []
  const target = rest === undefined ? url : rest.startsWith('/') ? rest : `/${rest}`
  const one: Taken = { method, target, headers, body: Buffer.alloc(0), isWhole: isUpgrade, isUpgrade }
  recordOf(message.socket).taken.push(one)
  return one
}

function read(message: IncomingMessage): void {
  const one = taken(message, false)
  const parts: Buffer[] = []
  message.on('error', () => undefined) // told by 'clientError'
  message.on('data', (part: Buffer) => {
    parts.push(part)
    one.body = Buffer.concat(parts)
  })
  message.on('end', () => {
    one.isWhole = true
  })
}

function handOver(message: IncomingMessage, socket: Duplex, early: Buffer): void {
  const one = taken(message, true)
  one.body = early
  recordOf(socket).isOver = true
  socket.on('data', (part: Buffer) => {
    one.body = Buffer.concat([one.body, part])
  })
}

for (const event of ['request', 'checkContinue', 'checkExpectation']) server.on(event, read)
for (const event of ['upgrade', 'connect']) server.on(event, handOver)
server.on('clientError', (error: Error & { code?: string }, socket) => {
  // Not destroyed yet: what came before it is still to be told.
  recordOf(socket).refused ??= error.code ?? error.message
})

export async function readByNode({ pieces }: Pick<Given, 'pieces'>): Promise<Reading> {
  const socket = new Wire()
  const record: Record = { taken: [], refused: undefined, isOver: false, declined: undefined }
  records.set(socket, record)
  server.emit('connection', socket)
  socket.on('error', () => undefined)
  await aTurn()
  for (const piece of pieces)
    if (record.refused === undefined && record.declined?.complete !== true) socket.feed([piece])
  await aTurn()
  await aTurn()
  const { taken, refused } = record
  const isOver = record.isOver || record.declined?.complete === true
  const reading = { taken: taken.map(one => ({ ...one })), refused, isOver, afterwards: 0, refusedAt: 0 }
  socket.destroy()
  return reading
}
