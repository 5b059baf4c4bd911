/**
 * Node's own client, llhttp as strict as it gets, fed from memory.
 */
import { Agent, type IncomingMessage, request } from 'node:http'
import { aTurn, type Given, MemorySocket, type Reading } from './reading.ts'

class MemoryAgent extends Agent {
  readonly socket = new MemorySocket()

  constructor() {
    super({ keepAlive: true })
  }

  override createConnection(): MemorySocket {
    return this.socket
  }
}

export async function readByNode({ pieces, method }: Given): Promise<Reading> {
  const agent = new MemoryAgent()
  const { socket } = agent
  let refused: string | undefined
  let answer: IncomingMessage | undefined
  let isWhole = false
  const parts: Buffer[] = []
  const sent = request({ agent, method, maxHeaderSize: 64 * 1024, insecureHTTPParser: false, path: '/', host: 'x' })
  const { promise: closed, resolve: close } = Promise.withResolvers<void>()
  sent.on('error', (error: NodeJS.ErrnoException) => {
    refused ??= error.code ?? error.message
  })
  sent.on('response', message => {
    answer = message
    message.on('data', (part: Buffer) => parts.push(part))
    message.on('end', () => {
      isWhole = true
      close()
    })
    message.on('error', (error: NodeJS.ErrnoException) => {
      refused ??= error.code ?? error.message
    })
  })
  sent.on('close', close)
  sent.end()
  await aTurn()
  socket.feed(pieces)
  await aTurn()
  await aTurn()
  const endedFirst = isWhole
  const kept = endedFirst && sent.shouldKeepAlive && !socket.destroyed
  socket.hangUp()
  await closed
  await aTurn()
  socket.destroy()
  agent.destroy()
  const list = answer?.rawHeaders ?? []
  const headers = Array.from({ length: list.length / 2 }, (_, at) => {
    return [(list[2 * at] ?? '').toLowerCase(), list[2 * at + 1] ?? ''] as const
  })
  return {
    refused: isWhole ? undefined : (refused ?? 'closed'),
    status: answer?.statusCode ?? 0,
    headers,
    body: Buffer.concat(parts),
    endedFirst,
    kept,
  }
}
