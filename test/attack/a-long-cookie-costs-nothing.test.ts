// One request must not keep the gateway busy for seconds: the time to read a header grows with its length, not with the
// square of it. Everybody else waits meanwhile, and no proof of anybody is needed.
import { createServer } from 'node:http'
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { head, openRaw, stillAnswers, talk, webSocketLines } from './raw-request.ts'

const length = 60_000
/** Not the recording fixture, which reads such a line in the square of its length itself. */
const upstream = createServer({ maxHeaderSize: 256 * 1024 }, (_request, response) => response.end('{}'))
await new Promise<void>(resolve => upstream.listen(0, '127.0.0.1', resolve))
t.teardown(() => upstream.close())
const address = upstream.address()
const upstreamUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'correct horse' } },
  yaml: `
upstreams: { app: { kind: generic, url: "${upstreamUrl}", authorization: pass } }
routes:
  - { path: /, upstream: app, access: everyone }
  - { path: /closed, upstream: app, access: authenticated }
`,
})

/** Milliseconds from the request to the head of the answer, on a connection that stands: the fastest of three. */
async function fastest(lines: readonly string[], path = '/x'): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < 3; round++) {
    using line = await openRaw(gateway)
    const start = performance.now()
    await line.write(head(gateway, `GET ${path} HTTP/1.1`, lines))
    const { text } = await line.read({ until: '\r\n\r\n', timeout: 20_000 })
    times.push(performance.now() - start)
    if (!/^HTTP\/1\.1 \d{3}/.test(text)) return Number.POSITIVE_INFINITY
  }
  return Math.min(...times)
}
await fastest([])
// A floor, so that the pace of a machine that answers within a millisecond does not make the test strict.
const short = Math.max(5, await fastest(['Cookie: a=b']))
const bearable = 20 * short

const blanks = ' '.repeat(length)
const cookies: Readonly<Record<string, string>> = {
  'of blanks': `a=${blanks}b`,
  'of blanks under our name': `__Host-sallyport=${blanks}b`,
  'of blanks before the name': `a=b;${blanks}c=d`,
  'of blanks without a name': `a${blanks}b`,
  'of tabs and blanks': `a=${'\t '.repeat(length / 2)}b`,
  'of equals signs': `a${'='.repeat(length)}`,
  'of semicolons': `a${';'.repeat(length)}b`,
  'of empty pairs': '= ;'.repeat(length / 3),
  'of pairs under our name': '__Host-sallyport=x;'.repeat(length / 20),
  'of letters': `a=${'b'.repeat(length)}`,
}
for (const [title, cookie] of Object.entries(cookies)) {
  t.test(`a cookie ${title} is read as quickly as a short one`, async t => {
    for (const path of ['/x', '/closed']) {
      const took = await fastest([`Cookie: ${cookie}`], path)
      t.ok(took < bearable, `${path}: ${took.toFixed(1)} ms, a short one ${short.toFixed(1)} ms`)
    }
  })
}

t.test('over HTTP/2 it is the same', async t => {
  const start = performance.now()
  const { status } = await gateway.ask('/closed', { protocol: 'HTTP/2', cookie: cookies['of blanks'] ?? '' })
  t.equal(status, 401)
  t.ok(performance.now() - start < bearable + 1_000)
})

const fillings: Readonly<Record<string, string>> = {
  blanks: `a${blanks}b`,
  commas: ','.repeat(length),
  'commas and blanks': ', '.repeat(length / 2),
  'semicolons and blanks': '; '.repeat(length / 2),
  quotes: '"'.repeat(length),
  'a word and blanks': `upgrade${blanks}x`,
}
const names = [
  ...['Accept', 'Accept-Encoding', 'Accept-Language', 'Authorization', 'Connection', 'Content-Type', 'Forwarded'],
  ...['If-None-Match', 'Origin', 'Range', 'Referer', 'Sec-Fetch-Site', 'User-Agent', 'X-Forwarded-For', 'X-Anything'],
]
t.test('nor is any other header dear, whatever fills it', async t => {
  for (const name of names) {
    for (const [title, filling] of Object.entries(fillings)) {
      const value = name === 'Authorization' ? `Basic ${filling}` : filling
      const took = await fastest([`${name}: ${value}`], '/closed')
      t.ok(took < bearable, `${name}, ${title}: ${took.toFixed(1)} ms, a short one ${short.toFixed(1)} ms`)
    }
  }
})

t.test('nor is a header of a WebSocket handshake', async t => {
  const lines = webSocketLines.filter(line => !line.startsWith('Connection'))
  for (const filling of [`Upgrade,${blanks}x`, `,${blanks}x`, `upgrade${', '.repeat(length / 2)}x`]) {
    const start = performance.now()
    await talk(gateway, head(gateway, 'GET /x HTTP/1.1', [...lines, `Connection: ${filling}`]), { until: '\r\n\r\n' })
    t.ok(performance.now() - start < bearable + 500)
  }
  await stillAnswers(t, gateway)
})
