/**
 * The upstream, as a process: a small answer, one of gigabytes that is made as it is read, and uploads that are thrown away.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'

const block = Buffer.alloc(65_536, 'x')
const large = 4 * 1024 ** 3

function* blocks() {
  for (let sent = 0; sent < large; sent += block.length) yield block
}

const server = createServer((message, response) => {
  message.resume()
  response.on('error', () => undefined) // whoever reads may go at any time
  if (message.url === '/large') {
    response.writeHead(200, { 'content-length': large })
    Readable.from(blocks(), { objectMode: false }).pipe(response)
    return
  }
  message.once('end', () => response.end('{"all":"well"}'))
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo // bound to TCP
  process.send?.(port)
})
// Whoever started us is gone.
process.once('disconnect', () => process.exit())
