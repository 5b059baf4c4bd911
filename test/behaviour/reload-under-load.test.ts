// A hundred reloads while requests and uploads run over both protocols: none of them notices.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { Agent, request } from 'node:https'
import { Readable } from 'node:stream'
import t from 'tap'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { reply } from '../fixture/upstream-answers.ts'

const reloads = 100

interface Tally {
  done: number
  readonly failures: string[]
}

const tls = ({ authority }: TestGateway) => ({ ca: authority.caPem, servername: 'localhost' })

/** Asks over kept connections until told to stop. */
async function askHttp1(gateway: TestGateway, tally: Tally, isOver: () => boolean): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  while (!isOver()) {
    try {
      const headers = { host: `localhost:${gateway.port}` }
      const sent = request({ ...tls(gateway), agent, host: '127.0.0.1', port: gateway.port, path: '/', headers }).end()
      const [answer] = await once(sent, 'response')
      const text = Buffer.concat(await Array.fromAsync(answer)).toString()
      if (answer.statusCode !== 200 || text !== 'in') tally.failures.push(`HTTP/1.1: ${answer.statusCode} ${text}`)
      tally.done++
    } catch (error) {
      tally.failures.push(`HTTP/1.1: ${String(error)}`)
    }
  }
  agent.destroy()
}

async function askHttp2(gateway: TestGateway, tally: Tally, isOver: () => boolean): Promise<void> {
  let session: ClientHttp2Session | undefined
  while (!isOver()) {
    try {
      if (session === undefined || session.closed || session.destroyed) {
        session = connectHttp2(`https://127.0.0.1:${gateway.port}`, tls(gateway))
        session.on('error', () => undefined) // told by the request
        await once(session, 'connect')
      }
      const stream = session.request({ ':path': '/', ':authority': `localhost:${gateway.port}` })
      const [head] = await once(stream, 'response')
      const text = Buffer.concat(await Array.fromAsync(stream as AsyncIterable<Buffer>)).toString() // no encoding is set
      if (head[':status'] !== 200 || text !== 'in') tally.failures.push(`HTTP/2: ${head[':status']} ${text}`)
      tally.done++
    } catch (error) {
      tally.failures.push(`HTTP/2: ${String(error)}`)
    }
  }
  session?.destroy()
}

/** One upload that lasts from before the first reload until after the last. */
function longUpload(gateway: TestGateway, protocol: 'HTTP/1.1' | 'HTTP/2', isOver: () => boolean) {
  const digest = createHash('sha256')
  const block = Buffer.alloc(16 * 1024, 'image')
  const body = Readable.from(
    (async function* () {
      while (!isOver()) {
        digest.update(block)
        yield block
        await new Promise(resolve => setTimeout(resolve, 5))
      }
    })(),
  )
  const headers = protocol === 'HTTP/1.1' ? { 'transfer-encoding': 'chunked' } : {}
  const answer = gateway.ask('/upload', { method: 'POST', body, headers, protocol })
  return { answer, digest: () => digest.digest('hex') }
}

t.test('nobody notices a hundred reloads', async t => {
  const upstream = await startUpstream(t, ({ method, body }) =>
    reply({ status: 200, body: method === 'POST' ? createHash('sha256').update(body).digest('hex') : 'in' }),
  )
  const yaml = (nth: number) => `
upstreams: { app: { kind: generic, url: "${upstream.url}", headers: { X-Generation: "${nth}" } } }
routes: [{ path: /, upstream: app, access: everyone }]
`
  const gateway = await startTestGateway(t, { yaml: yaml(0) })
  const certificates = await Promise.all([1, 2].map(() => gateway.authority.server(['localhost'], ['127.0.0.1'])))
  let isOver = false
  const tally: Tally = { done: 0, failures: [] }
  const over = () => isOver
  const clients = [
    askHttp1(gateway, tally, over),
    askHttp1(gateway, tally, over),
    askHttp2(gateway, tally, over),
    askHttp2(gateway, tally, over),
  ]
  const uploads = (['HTTP/1.1', 'HTTP/2'] as const).map(protocol => longUpload(gateway, protocol, over))

  for (let nth = 1; nth <= reloads; nth++) {
    const pair = certificates[nth % 2]
    // Every third one has another certificate, and every tenth is one that cannot be taken.
    const keystore =
      nth % 3 === 0 && pair ? { keystore: `{ certificate: ${pair.certFile}, key: ${pair.keyFile} }` } : {}
    const broken = nth % 10 === 0
    const outcome = await gateway.reload({ yaml: broken ? yaml(nth).replace('app:', 'oops:') : yaml(nth), ...keystore })
    t.equal(outcome.ok, !broken)
    const asked = tally.done
    while (tally.done < asked + 4 && tally.failures.length === 0) await new Promise(resolve => setImmediate(resolve))
  }
  isOver = true
  await Promise.all(clients)
  for (const { answer, digest } of uploads) {
    const { status, text } = await answer
    t.match({ status, text }, { status: 200, text: digest() }, 'an upload that saw every reload arrived whole')
  }
  t.same(tally.failures, [])
  t.ok(tally.done > 4 * reloads, `${tally.done} requests were answered`)
  t.equal(Math.max(...upstream.received.map(({ header }) => Number(header('x-generation')))), reloads - 1)
})
