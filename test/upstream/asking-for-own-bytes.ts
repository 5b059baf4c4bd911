/**
 * The two ways to ask for bodies that tell whose they are: of an upstream's client, and of a whole gateway before it.
 */
import type { IncomingMessage } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { Agent, request } from 'node:https'
import { Readable } from 'node:stream'
import type { Test } from 'tap'
import type { TestAuthority } from '../fixture/authority.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { asking, open } from './opened.ts'
import { type AskPlan, type Plan, type Seen, uploadBytes } from './own-bytes.ts'

const lengthOf = ({ upload, isLengthSaid }: Plan): Record<string, string> =>
  upload === undefined || !isLengthSaid ? {} : { 'content-length': String(upload) }

/** Who reads is told besides. */
const nobodyReads = () => undefined

export function askThroughClient(t: Test, url: string): AskPlan {
  const upstream = open(t, url, ', connections: 1000, timeouts: { connect: 30 s }')
  return async (plan, signal) => {
    const method = plan.upload === undefined ? 'GET' : 'POST'
    const body = plan.upload === undefined ? undefined : Readable.from(uploadBytes(plan))
    const headers = Object.entries({ host: 'x', ...lengthOf(plan) })
    const client = `client ${plan.id % 7}`
    const answer = await upstream.send(asking({ method, target: `/${plan.id}`, headers, body, client, signal }))
    const id = answer.headers.find(([name]) => name === 'x-id')?.[1] ?? ''
    return { status: answer.status, id, body: answer.body }
  }
}

/** What counts is whose bytes came. A kept connection of the client may end just as it is used again, and Node does not try anew. */
export const besidesResets = (wrong: readonly string[]): string[] =>
  wrong.filter(line => !line.endsWith(': read ECONNRESET'))

/** @param authority  of the gateway, and of a server over TLS */
export async function askThroughGateway(t: Test, url: string, authority?: TestAuthority): Promise<AskPlan> {
  const tls = authority === undefined || url.startsWith('http:') ? '' : `, tls: { ca: ${authority.caFile} }`
  const gateway = await startTestGateway(t, {
    ...(authority === undefined ? {} : { authority }),
    yaml: `
upstreams: { app: { kind: generic, url: "${url}"${tls} } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const agent = new Agent({ keepAlive: true, maxSockets: 40, ca: gateway.authority.caPem, servername: 'localhost' })
  const session = connectHttp2(gateway.url, { ca: gateway.authority.caPem })
  t.teardown(() => {
    agent.destroy()
    session.destroy()
  })
  const overHttp1: AskPlan = (plan, signal) =>
    new Promise<Seen>((resolve, reject) => {
      const method = plan.upload === undefined ? 'GET' : 'POST'
      const headers = { host: `localhost:${gateway.port}`, ...lengthOf(plan) }
      const to = { agent, host: '127.0.0.1', port: gateway.port, path: `/${plan.id}` }
      let received: IncomingMessage | undefined
      const sent = request({ ...to, method, headers }, answer => {
        received = answer.on('error', nobodyReads)
        resolve({ status: answer.statusCode ?? 0, id: String(answer.headers['x-id']), body: answer })
      })
      sent.on('error', reject)
      // Given the signal, the agent ties the connection to it; and behind a whole answer that is somebody else's.
      // Once there is an answer, that is what leaves: `sent` would throw away what its socket still holds of the
      // answer, and have the short rest look like a clean end.
      signal.addEventListener('abort', () => (received ?? sent).destroy(new Error('left')))
      if (plan.upload === undefined) sent.end()
      else Readable.from(uploadBytes(plan)).on('error', reject).pipe(sent)
    })
  const overHttp2: AskPlan = (plan, signal) =>
    new Promise<Seen>((resolve, reject) => {
      const method = plan.upload === undefined ? 'GET' : 'POST'
      const head = { ':method': method, ':path': `/${plan.id}`, ...lengthOf(plan) }
      const stream = session.request(head, { endStream: plan.upload === undefined })
      stream.on('error', reject)
      signal.addEventListener('abort', () => stream.destroy(new Error('left')))
      stream.on('response', answer => {
        resolve({ status: answer[':status'] ?? 0, id: String(answer['x-id']), body: stream })
      })
      stream.on('close', () => reject(new Error('closed without an answer')))
      if (plan.upload !== undefined) Readable.from(uploadBytes(plan)).on('error', reject).pipe(stream)
    })
  return (plan, signal) => (plan.id % 2 === 0 ? overHttp1 : overHttp2)(plan, signal)
}
