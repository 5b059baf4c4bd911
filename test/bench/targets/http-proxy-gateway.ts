/**
 * `http-proxy` behind Node's https server, with an agent that keeps connections; as many processes as told.
 *
 * Usage: node http-proxy-gateway.ts PORT WORKERS FILES-PORT SINK-PORT CERTIFICATE KEY [CA]. With CA, clients need a
 * certificate of it. It writes no access log, as the library has none.
 */
import cluster from 'node:cluster'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { createRequire } from 'node:module'

/** The part of http-proxy that is used here; it brings no types. */
interface Proxy {
  web(request: IncomingMessage, response: ServerResponse, options: { readonly target: string }): void
  on(event: 'error', told: (error: Error, request: IncomingMessage, response: ServerResponse) => void): void
}

const { createProxyServer } = createRequire(import.meta.url)('http-proxy') as {
  createProxyServer(options: { agent: Agent; xfwd: boolean }): Proxy
}
const [port, workers, files, sink, certificate = '', key = '', ca] = process.argv.slice(2)

if (cluster.isPrimary && Number(workers) > 1) {
  for (let made = 0; made < Number(workers); made++) cluster.fork()
} else {
  const proxy = createProxyServer({ agent: new Agent({ keepAlive: true }), xfwd: true })
  proxy.on('error', (_error, _request, response) => {
    if (!response.headersSent) response.writeHead(502)
    response.end()
  })
  const clients = ca === undefined ? {} : { ca: readFileSync(ca), requestCert: true, rejectUnauthorized: true }
  const own = {
    cert: readFileSync(certificate),
    key: readFileSync(key),
    minVersion: 'TLSv1.3',
    ciphers: 'TLS_AES_128_GCM_SHA256',
  } as const
  // The same in all processes, or a session would be resumed by one of them only. 48 bytes, as node:tls wants them.
  const terms = { ...own, ticketKeys: createHash('sha384').update(own.key).digest(), ...clients }
  const server = createServer(terms, (request, response) => {
    const upstream = request.url?.startsWith('/upload') ? sink : files
    proxy.web(request, response, { target: `http://127.0.0.1:${upstream}` })
  })
  server.keepAliveTimeout = 75_000
  server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 })
}
