/**
 * The upstream that takes uploads: reads the whole body and answers how many bytes came. Usage: node upload-sink.ts PORT
 */
import { createServer } from 'node:http'

createServer((request, response) => {
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  request.on('end', () => {
    const answer = `${bytes}\n`
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': answer.length }).end(answer)
  })
}).listen(Number(process.argv[2]), '127.0.0.1')
