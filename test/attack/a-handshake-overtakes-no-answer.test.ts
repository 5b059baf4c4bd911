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
  ['handshake', handshake, 101],
  ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 405],
] as const

for (const [title, bytes, status] of thirds) {
  t.test(`H07: a ${title} behind a request without an answer waits until that is out`, async t => {
    const from = upstream.received.length
    using line = await openRaw(gateway)
    await line.write(head(gateway, 'GET /slow HTTP/1.1') + bytes)
    t.same(statuses((await line.read({ timeout: 150 })).text), [], 'nothing comes before the answer')
    t.notOk(
      upstream.received.slice(from).some(({ target }) => target === '/ws'),
      'and nothing is begun',
    )
    const { text } = await line.read({ until: new RegExp(`HTTP/1.1 ${status}[\\s\\S]*\\r\\n\\r\\n`) })
    t.match(
      text,
      new RegExp(`^HTTP/1.1 200 [\\s\\S]*\\r\\n\\r\\nslowHTTP/1.1 ${status} `),
      'the answer is whole before',
    )
  })
}

for (const [title, bytes] of thirds) {
  t.test(
    `H07: a ${title} behind two requests without an answer is not begun, and nothing is left when the client goes`,
    async t => {
      const [from, before] = [upstream.received.length, gateway.log().length]
      using line = await openRaw(gateway)
      await line.write(head(gateway, 'GET /hang HTTP/1.1').repeat(2))
      t.ok(await within(2_000, () => upstream.received.length === from + 1))
      await line.write(bytes)
      t.same(statuses((await line.read({ timeout: 300 })).text), [])
      t.equal(upstream.received.length, from + 1, 'one after the other')
      line.close()
      t.ok(await within(1_000, () => upstream.openConnections === 0), 'no connection to the upstream is held')
      const ended = () =>
        gateway
          .log()
          .slice(before)
          .filter(({ ending }) => ending === 'client-gone')
      t.ok(await within(1_000, () => ended().length === 1), 'it has an end, and its line in the log')
      await stillAnswers(t, gateway)
    },
  )
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
