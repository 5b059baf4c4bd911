// RFC 9113 and RFC 7541, case by case on raw frames: the gateway passes all that Node's own server passes, which it is
// built on. What stands between (turns, budgets, pages of our own) breaks none of it.
import { once } from 'node:events'
import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { startApp } from '../behaviour/app.ts'
import { startAuthority } from '../fixture/authority.ts'
import { json } from '../fixture/upstream-answers.ts'
import { frameCases } from './http2-cases.ts'
import { type Http2Server, withHttp2 } from './http2-line.ts'
import { requestCases } from './http2-request-cases.ts'
import type { Http2Case } from './http2-verdicts.ts'
import { stillAnswers } from './raw-request.ts'

const together = 12

const { gateway, upstream } = await startApp(t, () => json({ all: 'well' }))
const ca = gateway.authority.caPem

async function startNode(): Promise<Http2Server> {
  const authority = await startAuthority(t)
  const { chainPem, keyPem } = await authority.server(['localhost'], ['127.0.0.1'])
  const server = createSecureServer({ cert: chainPem, key: keyPem })
  server.on('stream', (stream, { ':method': method }) => {
    stream.on('error', () => undefined) // most cases are errors
    stream.resume()
    stream.respond({ ':status': 200, 'content-type': 'text/plain' }, { endStream: method === 'HEAD' })
    if (method !== 'HEAD') stream.end('all is well')
  })
  server.on('sessionError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { port: (server.address() as AddressInfo).port, ca: authority.caPem } // a bound TCP server has one
}

const passes = ({ bare, send, verdict }: Http2Case, server: Http2Server): Promise<boolean> =>
  withHttp2(
    server,
    async line => {
      await send(line)
      return await verdict(line)
    },
    bare === true ? 'left out' : 'said',
  )

const node = await startNode()
const cases = [...frameCases, ...requestCases]
const results = new Map<Http2Case, { byNode: boolean; byUs: boolean }>()
const left = [...cases]
const runner = async () => {
  for (let one = left.shift(); one !== undefined; one = left.shift()) {
    const [byNode, byUs] = await Promise.all([passes(one, node), passes(one, { port: gateway.port, ca })])
    results.set(one, { byNode, byUs })
  }
}
await Promise.all(Array.from({ length: together }, runner))

for (const [one, { byNode, byUs }] of results)
  t.ok(
    byUs || !byNode,
    `RFC ${/^7541/.test(one.name) ? '' : '9113 '}${one.name}${byUs || byNode ? '' : ' (nor does Node)'}`,
  )

t.test('and it is worth comparing', async t => {
  const byNode = [...results.values()].filter(result => result.byNode).length
  t.ok(byNode >= cases.length * 0.9, `Node passes ${byNode} of ${cases.length}`)
  t.same(upstream.malformed, [])
  await stillAnswers(t, gateway)
})
