// H06: what rides in the body of a DELETE or OPTIONS stays a body.
import { connect } from 'node:http2'
import t, { type Test } from 'tap'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { startUpstream, type Upstream } from '../fixture/upstream.ts'
import { basic, head, statuses, stillAnswers, talk } from './raw-request.ts'

const upstream = await startUpstream(t)
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'correct horse', groups: ['writers'] } },
  yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes:
  - { path: /, upstream: app, access: [{ groups: [writers], may: everything }] }
  - { path: /admin, upstream: app, access: [{ groups: [admins], may: everything }] }
`,
})

/** A request that the gateway would never let through, as the text of a body. */
const smuggled = `GET /admin/secret HTTP/1.1\r\nHost: localhost\r\nX-Remote-User: admin\r\nX-Smuggled: yes\r\n\r\n`

function arrivedOnce(t: Test, { received, malformed }: Upstream, from: number, method: string, body: string): void {
  const arrived = received.slice(from)
  t.same(malformed, [], 'nothing unreadable arrived')
  t.same(
    arrived.map(request => `${request.method} ${request.target}`),
    [`${method} /thing`],
    'exactly one request arrived',
  )
  t.match(arrived[0], { complete: true, framing: 'chunked' }, 'its body is framed as one')
  t.equal(arrived[0]?.body.toString(), body, 'the body is whole')
}

const chunked = (body: string, size: number): string => {
  const parts = []
  for (let at = 0; at < body.length; at += size) {
    const part = body.slice(at, at + size)
    parts.push(`${part.length.toString(16)}\r\n${part}\r\n`)
  }
  return `${parts.join('')}0\r\n\r\n`
}

for (const method of ['DELETE', 'OPTIONS', 'GET', 'PATCH']) {
  t.test(`a chunked ${method} is one request at the upstream (CVE-2026-29057)`, async t => {
    for (const size of [smuggled.length, 7]) {
      const from = upstream.received.length
      const lines = [basic('alice:correct horse'), 'Transfer-Encoding: chunked']
      const bytes = head(gateway, `${method} /thing HTTP/1.1`, lines) + chunked(smuggled, size)
      const { text } = await talk(gateway, bytes, { until: 'upstream"}' })
      t.same(statuses(text), [200])
      await stillAnswers(t, gateway)
      arrivedOnce(t, upstream, from, method, smuggled)
    }
  })

  t.test(`a ${method} with a body and no length over HTTP/2 is one request at the upstream`, async t => {
    const from = upstream.received.length
    t.equal(await askHttp2(gateway, method, smuggled), 200)
    await stillAnswers(t, gateway)
    arrivedOnce(t, upstream, from, method, smuggled)
  })
}

t.test('a body that looks like the end of chunks, and a request behind it, stays a body', async t => {
  const from = upstream.received.length
  const body = `0\r\n\r\n${smuggled}`
  const lines = [basic('alice:correct horse'), 'Transfer-Encoding: chunked']
  const bytes = head(gateway, 'DELETE /thing HTTP/1.1', lines) + chunked(body, body.length)
  const { text } = await talk(gateway, bytes, { until: 'upstream"}' })
  t.same(statuses(text), [200])
  arrivedOnce(t, upstream, from, 'DELETE', body)
})

t.test('a DELETE with a length keeps it, and what comes behind is judged as a request of its own', async t => {
  const from = upstream.received.length
  const lines = [basic('alice:correct horse'), 'Content-Length: 4']
  const bytes = `${head(gateway, 'DELETE /thing HTTP/1.1', lines)}abcd${head(gateway, 'GET /admin/secret HTTP/1.1', [basic('alice:correct horse')])}`
  const { text } = await talk(gateway, bytes, { until: /403[\s\S]*"reason"/ })
  t.same(statuses(text), [200, 403])
  const arrived = upstream.received.slice(from)
  t.equal(arrived.length, 1)
  t.match(arrived[0], { method: 'DELETE', framing: 'length', complete: true })
  t.equal(arrived[0]?.body.toString(), 'abcd')
})

t.test('a chunked body that breaks off is no whole request', async t => {
  const from = upstream.received.length
  const lines = [basic('alice:correct horse'), 'Transfer-Encoding: chunked']
  await talk(gateway, `${head(gateway, 'DELETE /thing HTTP/1.1', lines)}5\r\nabcde\r\nZZ\r\n`, { timeout: 400 })
  await stillAnswers(t, gateway)
  t.notOk(
    upstream.received.slice(from).some(({ complete }) => complete),
    'the upstream saw no end of it',
  )
  t.same(upstream.malformed, [])
})

async function askHttp2(gateway: TestGateway, method: string, body: string): Promise<number> {
  const session = connect(`https://127.0.0.1:${gateway.port}`, { ca: gateway.authority.caPem, servername: 'localhost' })
  try {
    const stream = session.request(
      {
        ':method': method,
        ':path': '/thing',
        ':authority': `localhost:${gateway.port}`,
        authorization: `Basic ${Buffer.from('alice:correct horse').toString('base64')}`,
      },
      { endStream: false },
    )
    const status = new Promise<number>((resolve, reject) => {
      stream.once('response', headers => resolve(Number(headers[':status'])))
      stream.once('error', reject)
    })
    stream.write(body.slice(0, 10))
    stream.end(body.slice(10))
    const answer = await status
    await Array.fromAsync(stream)
    return answer
  } finally {
    session.destroy()
  }
}
