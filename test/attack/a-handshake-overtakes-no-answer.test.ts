// H07, H09: a WebSocket handshake or CONNECT behind a request that is not answered yet takes no answer's place.
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startApp, within } from '../behaviour/app.ts'
import { hang, reply, upgradeEcho } from '../fixture/upstream-answers.ts'
import { head, openRaw, statuses, stillAnswers, webSocketLines } from './raw-request.ts'

const { gateway, upstream } = await startApp(t, ({ target }) =>
  target === '/ws'
    ? upgradeEcho()
    : target === '/hang'
      ? hang
      : async line => {
          await pause(300)
          await reply({ body: 'slow' })(line)
        },
)
const handshake = head(gateway, 'GET /ws HTTP/1.1', webSocketLines)

const thirds = [
  ['handshake', handshake],
  ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'],
] as const

for (const [title, bytes] of thirds) {
  t.test(`H07: a ${title} behind a request without an answer ends the connection`, async t => {
    using line = await openRaw(gateway)
    await line.write(head(gateway, 'GET /slow HTTP/1.1') + bytes)
    const { text, ended } = await line.read({ timeout: 2_000 })
    t.same(statuses(text), [])
    t.match(ended, /end|error/, 'the connection is closed')
    await stillAnswers(t, gateway)
    t.notOk(upstream.received.some(({ target }) => target === '/ws'))
  })
}

for (const [title, bytes] of thirds) {
  t.test(`H07: a ${title} behind two requests without an answer ends both of them`, async t => {
    const [from, before] = [upstream.received.length, gateway.log().length]
    using line = await openRaw(gateway)
    await line.write(head(gateway, 'GET /hang HTTP/1.1').repeat(2))
    t.ok(await within(2_000, () => upstream.received.length === from + 2))
    await line.write(bytes)
    t.match((await line.read({ timeout: 2_000 })).ended, /end|error/, 'the connection is closed')
    t.ok(await within(1_000, () => upstream.openConnections === 0), 'no connection to the upstream is held by either')
    const ended = () =>
      gateway
        .log()
        .slice(before)
        .filter(({ ending }) => ending === 'client-gone')
    t.ok(await within(1_000, () => ended().length === 2), 'both have an end, and their lines in the log')
    await stillAnswers(t, gateway)
  })
}

t.test('behind an answer that has come a handshake is one', async t => {
  for (let times = 0; times < 5; times++) {
    using line = await openRaw(gateway)
    await line.write(head(gateway, 'GET /slow HTTP/1.1'))
    await line.read({ until: 'slow' })
    await line.write(handshake)
    t.same(statuses((await line.read({ until: '\r\n\r\n' })).text), [101])
  }
})
