// A client that neither sends nor takes anything is cut; a slow upstream, or a slow line, is not.
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { rawTls } from '../fixture/raw-tls.ts'
import { type Answer, json, trickle } from '../fixture/upstream-answers.ts'
import { protocols, startApp, within } from './app.ts'

// Each of these mostly waits.
t.jobs = 8

const limits = 'limits: { idle: 1 s, minimumRate: 1 KB, headers: 1 s, handshake: 1 s, keepAlive: 1 s }'
const start = (t: Test, respond?: Parameters<typeof startApp>[1]) => startApp(t, respond, { listener: limits })

const endless: Answer = async line => {
  await line.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
  const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65_536, 'x'), Buffer.from('\r\n')])
  for (;;) await line.write(chunk)
}

for (const protocol of protocols) {
  t.test(`over ${protocol} an upload that stops is cut after the idle time, towards both sides`, async t => {
    const app = await start(t)
    const { gateway, upstream } = app
    if (protocol === 'HTTP/1.1') {
      using raw = await rawTls(gateway.port, { ca: gateway.authority.caPem })
      await raw.write(`POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nsome`)
      const { text, ended } = await raw.read({ timeout: 5_000 })
      t.match(ended, /end|error/)
      t.notMatch(text, / 200 /)
    } else {
      const session = connectHttp2(gateway.url, { ca: gateway.authority.caPem })
      t.teardown(() => session.destroy())
      const stream = session.request({ ':path': '/x', ':method': 'POST' })
      stream.write('some')
      await new Promise(resolve => stream.on('error', resolve).once('close', resolve))
      t.not(stream.rstCode, 0)
    }
    t.ok(await within(1_000, () => upstream.openConnections === 0))
    t.notOk(upstream.received[0]?.complete)
  })

  t.test(`over ${protocol} a reader that stalls is cut, and the upstream is let go`, async t => {
    const { gateway, upstream } = await start(t, () => endless)
    const began = Date.now()
    if (protocol === 'HTTP/1.1') {
      const answer = await gateway.open('/x')
      answer.on('error', () => undefined).pause()
      t.teardown(() => answer.destroy())
    } else {
      const session = connectHttp2(gateway.url, { ca: gateway.authority.caPem })
      t.teardown(() => session.destroy())
      // Nobody reads it: its window fills up.
      session.request({ ':path': '/x' }).on('error', () => undefined)
    }
    t.ok(await within(1_000, () => upstream.openConnections === 1))
    t.ok(await within(8_000, () => upstream.openConnections === 0))
    t.ok(Date.now() - began > 1_000, 'not before the idle time')
    t.ok(await within(1_000, () => gateway.log().some(line => line['ending'] === 'aborted')))
  })

  t.test(`over ${protocol} an upstream that is slow for longer than the idle time is waited for`, async t => {
    const { gateway } = await start(t, ({ target }) => (target === '/late' ? late : trickle('abcdefgh', 500)))
    const [slow, later] = await Promise.all([
      gateway.ask('/x', { protocol }),
      gateway.ask('/late', { protocol, method: 'POST', body: 'x' }),
    ])
    t.match(slow, { status: 200, text: 'abcdefgh' })
    t.match(later, { status: 200, text: '{"late":true}' })
  })
}

const late: Answer = async line => {
  await pause(3_500)
  await json({ late: true })(line)
}

t.test('an upload that drips below the minimum rate is cut, and one above it is not', async t => {
  const { gateway, upstream } = await start(t)
  const drip = async (size: number) => {
    using raw = await rawTls(gateway.port, { ca: gateway.authority.caPem })
    await raw.write(`POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${size * 12}\r\n\r\n`)
    let cut = false
    raw.socket.once('close', () => {
      cut = true
    })
    for (let times = 0; times < 12 && !cut; times++) {
      await raw.write(Buffer.alloc(size, 'x')).catch(() => undefined) // it is cut at some time
      await pause(400)
    }
    return cut ? 'cut' : (await raw.read({ until: '\r\n\r\n' })).text.slice(9, 12)
  }
  const [slow, fast] = await Promise.all([drip(10), drip(4_096)])
  t.equal(slow, 'cut')
  t.equal(fast, '200')
  t.equal(upstream.received.filter(({ complete }) => complete).length, 1)
})

t.test('a request head that takes too long is answered with 408', async t => {
  const { gateway, upstream } = await start(t)
  using raw = await rawTls(gateway.port, { ca: gateway.authority.caPem })
  await raw.write('GET /x HTTP/1.1\r\nHost: localhost\r\n')
  const dripping = setInterval(() => void raw.write('X-More: x\r\n').catch(() => undefined), 200)
  const { text, ended } = await raw.read({ timeout: 6_000 })
  clearInterval(dripping)
  t.match(text, /^HTTP\/1\.1 408 /)
  t.match(ended, /end|error/, 'and the connection is closed')
  t.equal(upstream.received.length, 0)
})

t.test('a connection that asks nothing is closed, before its handshake and after a request', async t => {
  const { gateway } = await start(t)
  const silent = connectTcp(gateway.port, '127.0.0.1')
    .on('error', () => undefined)
    .resume()
  t.teardown(() => silent.destroy())
  using raw = await rawTls(gateway.port, { ca: gateway.authority.caPem })
  await raw.write('GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n')
  t.match((await raw.read({ until: '"upstream"}' })).text, /^HTTP\/1\.1 200 /)
  const session = connectHttp2(gateway.url, { ca: gateway.authority.caPem })
  t.teardown(() => session.destroy())
  t.ok(await within(5_000, () => silent.readableEnded || silent.destroyed), 'no handshake')
  t.match((await raw.read({ timeout: 5_000 })).ended, /end|error/, 'idle over HTTP/1.1')
  t.ok(await within(5_000, () => session.closed || session.destroyed), 'idle over HTTP/2')
})

for (const protocol of protocols) {
  t.test(`over ${protocol} a client that is to keep no connection may take its time to ask`, async t => {
    const { gateway } = await startApp(t, undefined, { listener: 'limits: { keepAlive: 0 s }' })
    if (protocol === 'HTTP/1.1') {
      using raw = await rawTls(gateway.port, { ca: gateway.authority.caPem })
      await pause(300)
      await raw.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
      return t.match((await raw.read({ timeout: 5_000, until: /\r\n\r\n/ })).text, /^HTTP\/1\.1 200 /)
    }
    const session = connectHttp2(gateway.url, { ca: gateway.authority.caPem })
    t.teardown(() => session.destroy())
    const closed = new Promise<void>(resolve => void session.once('close', resolve))
    await pause(300)
    const stream = session.request({ ':path': '/' }).resume()
    const status = await new Promise(resolve => {
      stream.once('response', answer => resolve(answer[':status'])).once('error', resolve)
    })
    t.equal(status, 200)
    await closed
    t.pass('and is closed behind the answer')
  })
}
