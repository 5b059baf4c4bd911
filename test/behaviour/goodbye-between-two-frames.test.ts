// Signing out while the upstream is in the middle of a large frame: the client gets that frame whole, then a well-formed
// closing frame, and nothing that came behind; the application is told, masked as a client does it, that its client is gone.
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { head, openRaw, webSocketKey, webSocketLines } from '../attack/raw-request.ts'
import type { AnswerLine } from '../fixture/upstream-answers.ts'
import { acceptKey } from '../fixture/websocket-echo.ts'
import { movedClock } from '../identity/moved-clock.ts'
import { startApp, within } from './app.ts'

const password = 'a pass-word'
const payload = Buffer.alloc(300_000, Buffer.of(0x88, 0x02, 0x03, 0xe8))
const frame = Buffer.concat([Buffer.of(0x82, 127, 0, 0, 0, 0, 0, 0x04, 0x93, 0xe0), payload])
const half = 100_000

t.test('both sides stand where a frame ends', async t => {
  let line: AnswerLine | undefined
  const heard: Buffer[] = []
  const clock = movedClock(Date.now())
  const { gateway } = await startApp(
    t,
    () => async one => {
      const accept = `Sec-WebSocket-Accept: ${acceptKey(webSocketKey)}`
      await one.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${accept}\r\n\r\n`,
      )
      one.takeOver(bytes => heard.push(bytes))
      line = one
      await one.write(frame.subarray(0, half))
      await one.gone
    },
    {
      clock,
      accounts: { alice: { password } },
      yaml: 'routes: [{ path: /, upstream: app, access: authenticated }]',
    },
  )
  const cookie = `Cookie: ${await gateway.signIn('alice', password)}`
  using client = await openRaw(gateway)
  await client.write(head(gateway, 'GET /ws HTTP/1.1', [...webSocketLines, cookie, `Origin: ${gateway.url}`]))
  await client.read({ until: '\r\n\r\n' })
  const came: Buffer[] = []
  client.socket.on('data', bytes => came.push(bytes))
  t.ok(await within(2_000, () => Buffer.concat(came).length >= half - 20))

  clock.move(31 * 60_000)
  t.ok(await within(8_000, () => heard.length > 0), 'the application hears of it')
  const last = Buffer.concat(heard)
  t.equal(last.length, 8)
  t.same([...last.subarray(0, 2)], [0x88, 0x82])
  const [a = 0, b = 0] = last.subarray(6).map((byte, at) => byte ^ (last[2 + at] ?? 0))
  t.equal(a * 256 + b, 1001, 'going away, masked')

  await pause(20)
  await line?.write(Buffer.concat([frame.subarray(half), Buffer.of(0x81, 5), Buffer.from('later')]))
  t.ok(await within(3_000, () => Buffer.concat(came).includes('the session has ended')))
  const all = Buffer.concat(came)
  const rest = all.subarray(all.length - 25)
  t.equal(rest.toString('latin1'), '\x88\x17\x03\xf0the session has ended')
  t.ok(all.subarray(0, -25).equals(frame.subarray(frame.length - (all.length - 25))), 'the frame is whole')
  await client.write(Buffer.of(0x88, 0x80, 0, 0, 0, 0))
  t.equal((await client.read({ timeout: 3_000 })).ended, 'end')
})
