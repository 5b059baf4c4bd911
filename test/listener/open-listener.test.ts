// The listener without TLS that answers: the same engine and limits as with TLS, and nobody can prove anything on it.
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Limits } from '../../src/config/listener.ts'
import type { Exchange } from '../../src/listener/exchange.ts'
import { listenOpen } from '../../src/listener/open-listener.ts'

async function start(t: Test, answer: (exchange: Exchange) => void, limits: Partial<Limits> = {}, host = '127.0.0.1') {
  const troubles: string[] = []
  let open = 0
  const bound = await listenOpen(
    'web',
    { bind: { host, port: 0 }, limits: { ...Limits.parse({}), ...limits } },
    {
      exchange: answer,
      upgrade: answer,
      trouble: (_listener, kind) => troubles.push(kind),
      connections: (_listener, change) => {
        open += change
      },
    },
  )
  t.teardown(() => bound[Symbol.asyncDispose]())
  const port = Number(new URL(bound.urls[0] ?? '').port)
  /** All that comes back until the connection ends. @param half  says its last byte with the request */
  const ask = async (text: string, { half = true, to = '127.0.0.1' } = {}): Promise<string> => {
    const socket = connect(port, to)
    if (half) socket.end(text)
    else socket.write(text)
    let answer = ''
    socket.setEncoding('latin1').on('data', part => {
      answer += part
    })
    await once(socket, 'close')
    return answer
  }
  return { bound, port, ask, troubles, open: () => open }
}

const hello = ({ reply, request }: Exchange) =>
  reply.send(200, [['content-type', 'text/plain']], `hello ${request.target}`)
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: pacs\r\n\r\n`

t.test('requests on one connection are answered in their order', async t => {
  const { ask, troubles } = await start(
    t,
    exchange => void pause(exchange.request.target === '/a' ? 50 : 0).then(() => hello(exchange)),
  )
  const last = get('/b').replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')
  const answer = await ask(get('/a') + last, { half: false })
  t.match(answer, /^HTTP\/1\.1 200 OK\r\n[\s\S]*hello \/aHTTP\/1\.1 200 OK\r\n[\s\S]*hello \/b$/)
  t.same(troubles, [])
})

t.test('nobody has a certificate here, and who calls is known', async t => {
  const { ask } = await start(t, ({ connection, reply }) => {
    const { socket, ...facts } = connection
    reply.send(
      200,
      [],
      JSON.stringify({ ...facts, holds: socket.authorized || socket.getPeerX509Certificate() !== undefined }),
    )
  })
  const [, body = '{}'] = (await ask(get('/'))).split('\r\n\r\n')
  t.same(JSON.parse(body), {
    address: '127.0.0.1',
    listener: 'web',
    certificate: 'none',
    protocol: 'HTTP/1.1',
    holds: false,
  })
})

t.test('on [::] IPv4 gets in too, and is seen as what it is', async t => {
  const { ask, bound } = await start(t, ({ connection, reply }) => reply.send(200, [], connection.address), {}, '::')
  t.match(bound.urls, [/^http:\/\/\[::\]:\d+$/])
  t.match(await ask(get('/')), /\r\n\r\n127\.0\.0\.1$/)
  t.match(await ask(get('/'), { to: '::1' }), /\r\n\r\n::1$/)
})

t.test('what is malformed is marked or cut as with TLS', async t => {
  const { ask, troubles } = await start(t, ({ request, reply }) =>
    reply.send(request.malformed === undefined ? 200 : 400, [], ''),
  )
  t.match(await ask('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'), /^HTTP\/1\.1 400 /)
  t.match(await ask('GET / HTTP/1.0\r\nHost: a\r\n\r\n'), /^HTTP\/1\.1 400 /)
  t.match(await ask('\x16\x03\x01\x00\xa5\x01\x00\x00\xa1'), /^HTTP\/1\.1 400 /, 'TLS on this port')
  t.same(troubles, ['malformed'])
})

t.test('a head that never ends, and a connection that says nothing, are cut', async t => {
  const { ask, open } = await start(t, hello, { headers: 300 })
  const began = Date.now()
  const [slow, silent] = await Promise.all([ask('GET / HTTP/1.1\r\nHost:', { half: false }), ask('', { half: false })])
  for (const answer of [slow, silent]) t.match(answer, /^HTTP\/1\.1 408 |^$/)
  t.ok(Date.now() - began < 10_000)
  for (const deadline = Date.now() + 3_000; open() > 0 && Date.now() < deadline; ) await pause(20)
  t.equal(open(), 0, 'and nothing of them is left')
})

t.test('drain lets an answer finish, takes nothing new, and cuts what takes too long', async t => {
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<Exchange>()
  const { bound, ask, port } = await start(t, arrive)
  const answer = ask(get('/slow'), { half: false })
  const exchange = await arrived
  const drained = bound.drain(10_000)
  const late = connect(port, '127.0.0.1')
  const [refused] = await once(late, 'error').catch(thrown => [thrown])
  t.equal(refused.code, 'ECONNREFUSED')
  exchange.reply.send(200, [], 'whole')
  t.match(await answer, /connection: close[\s\S]*whole$/i)
  await drained

  const { promise: stuck, resolve: stick } = Promise.withResolvers<Exchange>()
  const second = await start(t, stick)
  const cut = second.ask(get('/never'), { half: false })
  await stuck
  await second.bound.drain(100)
  t.equal(await cut, '')
})
