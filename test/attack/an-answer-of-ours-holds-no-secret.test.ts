// S06: pages, redirects, logs and the audit trail hold no credential, and no address of an upstream goes to a client.
import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { type Answer, json, raw, reply, resetBeforeHead, resetMidBody } from '../fixture/upstream-answers.ts'
import { stillAnswers } from './raw-request.ts'

const secret = 'upstream-s3cret'
const alices = 'correct horse battery'
let answer: Answer = json({})
const upstream = await startUpstream(t, () => answer)

/** A port where nobody listens. */
const closed = await new Promise<number>(resolve => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const address = server.address()
    server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 1))
  })
})
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: alices, groups: ['radiology'] } },
  files: { secret },
  yaml: `
upstreams:
  app: { kind: generic, url: "${upstream.url}", credentials: { username: gateway-account, password: { file: secret } } }
  down: { kind: generic, url: "http://127.0.0.1:${closed}", credentials: { username: gateway-account, password: { file: secret } } }
routes:
  - { path: /, upstream: app, access: authenticated }
  - { path: /down, upstream: down, access: authenticated }
`,
})

const basicOf = (pair: string) => Buffer.from(pair).toString('base64')
const secrets = [secret, alices, basicOf(`gateway-account:${secret}`), basicOf(`alice:${alices}`)]
const addresses = [`127.0.0.1:${upstream.port}`, `127.0.0.1:${closed}`, String(closed), gateway.dir]

function holdsNone(t: Test, text: string, words: readonly string[]): void {
  for (const word of words) t.notOk(text.includes(word), `without ${word === gateway.dir ? 'the folder' : 'it'}`)
}

const asPerson = { accept: 'text/html', 'sec-fetch-mode': 'navigate' }
async function bothShapes(gateway: TestGateway, path: string, status: number, t: Test): Promise<void> {
  for (const headers of [{}, asPerson]) {
    for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
      const got = await gateway.ask(path, { basic: `alice:${alices}`, headers, protocol })
      t.equal(got.status, status)
      holdsNone(t, JSON.stringify(got.headers) + got.text, [...secrets, ...addresses, 'gateway-account'])
      t.match(got.headers['x-request-id'], /^[0-9a-f-]{36}$/)
    }
  }
}

t.test('an upstream that cannot be reached, refuses us, or breaks, is named and nothing more', async t => {
  await bothShapes(gateway, '/down/x', 502, t)
  answer = resetBeforeHead
  await bothShapes(gateway, '/x', 502, t)
  answer = reply({ status: 401, headers: [['WWW-Authenticate', 'Basic realm="inner"']], body: 'no' })
  await bothShapes(gateway, '/x', 502, t)
  answer = raw('no HTTP at all\r\n\r\n')
  await bothShapes(gateway, '/x', 502, t)
  answer = raw('HTTP/1.1 200 OK\r\nBad Header: x\r\nContent-Length: 0\r\n\r\n')
  await bothShapes(gateway, '/x', 502, t)
})

t.test('an answer that breaks off is cut, without a word behind it', async t => {
  answer = resetMidBody('half', 100)
  await t.rejects(gateway.ask('/x', { basic: `alice:${alices}` }))
  answer = json({})
  await stillAnswers(t, gateway)
})

t.test('a redirect of the upstream to itself leads here', async t => {
  for (const location of [`${upstream.url}/next`, `http://gateway-account@127.0.0.1:${upstream.port}/next`]) {
    answer = reply({ status: 302, headers: [['Location', location]] })
    const { headers } = await gateway.ask('/x', { basic: `alice:${alices}` })
    t.equal(headers['location'], `${gateway.url}/next`)
  }
  answer = json({})
})

t.test('a wrong password is not shown, and not written down', async t => {
  const typed = 'typed-by-mistake'
  const { text } = await gateway.ask('/x', { basic: `alice:${typed}` })
  t.notMatch(text, typed)
  await t.rejects(gateway.signIn('alice', typed))
  t.notMatch(JSON.stringify([gateway.log(), gateway.audit()]), typed)
})

t.test('the log and the audit trail hold no secret of anybody', async t => {
  const session = await gateway.signIn('alice', alices)
  await gateway.ask('/x?token=a', { cookie: session })
  const written = JSON.stringify([gateway.log(), gateway.audit()])
  holdsNone(t, written, [...secrets, session.split('=')[1] ?? ''])
  t.match(written, /upstream-unreachable/, 'it does tell what went wrong')
})
