// An upstream that says a header twice (a proxy in front of it adds its own) gets the same answer through over HTTP/1.1
// and HTTP/2: it is no bug of ours, and no stream is reset for it.
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { type Fields, reply } from '../fixture/upstream-answers.ts'
import { stillAnswers } from './raw-request.ts'

let headers: Fields = []
const upstream = await startUpstream(t, () => reply({ headers, body: 'whole' }))
const gateway = await startTestGateway(t, {
  yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]
`,
})
const names = [
  'X-Content-Type-Options',
  'Content-Type',
  'ETag',
  'Age',
  'Date',
  'Last-Modified',
  'Retry-After',
  'Content-Location',
  'Vary',
  'X-Other',
  'Set-Cookie',
]

t.test('the answer goes through, whichever header came twice', async t => {
  for (const name of names) {
    headers = [
      [name, 'a'],
      [name, 'a'],
    ]
    for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
      const got = await gateway.ask('/x', { protocol }).then(
        ({ status, text }) => `${status} ${text}`,
        (cause: unknown) => String(cause),
      )
      t.equal(got, '200 whole', `${name} over ${protocol}`)
    }
  }
  t.same(
    gateway.log().filter(line => line['fault'] !== undefined),
    [],
  )
  await stillAnswers(t, gateway)
})

t.test('two lengths that differ are no answer', async t => {
  headers = [['Content-Length', '3']]
  for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) t.equal((await gateway.ask('/x', { protocol })).status, 502)
})
