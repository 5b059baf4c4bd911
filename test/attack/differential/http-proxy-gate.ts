/**
 * `http-proxy` behind Node's https server, as its documentation sets it up: the baseline, in a process of its own.
 *
 * Usage: node http-proxy-gate.ts PORT-OF-THE-UPSTREAM CERTIFICATE KEY. It prints its address, then one line of JSON for
 * each request that it was asked for: what a rule in front of it would have judged.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { createRequire } from 'node:module'
import type { Duplex } from 'node:stream'

/** The part of http-proxy that is used here; it brings no types. */
interface Proxy {
  web(request: IncomingMessage, response: ServerResponse): void
  ws(request: IncomingMessage, socket: Duplex, head: Buffer): void
  on(event: 'error', told: (error: Error, request: IncomingMessage, answer: ServerResponse | Duplex) => void): void
}

const { createProxyServer } = createRequire(import.meta.url)('http-proxy') as {
  createProxyServer(options: { target: string; xfwd: boolean }): Proxy
}
const [port = '', certificate = '', key = ''] = process.argv.slice(2)
const proxy = createProxyServer({ target: `http://127.0.0.1:${port}`, xfwd: true })
proxy.on('error', (_error, _request, answer) => {
  if ('writeHead' in answer && !answer.headersSent) answer.writeHead(502)
  answer.end()
})

/** The rule would stand here. */
function judged(request: IncomingMessage): void {
  const id = randomUUID()
  request.headers['x-request-id'] = id
  process.stdout.write(`${JSON.stringify({ id, method: request.method, path: request.url })}\n`)
}

const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (request, response) => {
  judged(request)
  proxy.web(request, response)
})
server.on('upgrade', (request, socket, head) => {
  judged(request)
  proxy.ws(request, socket, head)
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') process.stdout.write(`listening ${address.port}\n`)
})
