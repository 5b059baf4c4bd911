// Traffic under way is use: an upload of ten idle times is not cut though its person asks for nothing else, and messages on
// a WebSocket keep their session too. Pings do not, neither those of a WebSocket nor the requests with which OMERO.web's
// pages keep its own sessions alive: a page that was forgotten does not stay signed in.
import { once } from 'node:events'
import { request } from 'node:https'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { WebSocket } from 'ws'
import { json, upgradeEcho } from '../fixture/upstream-answers.ts'
import { movedClock } from '../identity/moved-clock.ts'
import { startApp, within } from './app.ts'

const idle = 400
const clock = movedClock(Date.now())
const password = 'a pass-word'
const { gateway, upstream } = await startApp(
  t,
  received => (received.header('upgrade') === undefined ? json({ bytes: received.bodyLength }) : upgradeEcho()),
  {
    clock,
    kind: 'omero-web',
    accounts: { uploads: { password }, talks: { password }, forgot: { password }, pings: { password } },
    yaml: `
sessions: { idle: ${idle} ms, absolute: 12 h }
routes: [{ path: /, upstream: app, access: authenticated }]`,
  },
)
const state = new DatabaseSync(join(gateway.dir, 'state', 'sallyport.db'), { readOnly: true })
t.teardown(() => state.close())
const lastUse = (name: string) =>
  Number(state.prepare('select last_used_at as at from session where name = ?').get(name)?.['at'] ?? 0)

async function openSocket(name: string): Promise<WebSocket> {
  const socket = new WebSocket(`${gateway.url.replace('https:', 'wss:')}/ws`, {
    ca: gateway.authority.caPem,
    headers: { cookie: await gateway.signIn(name, password), origin: gateway.url },
  })
  t.teardown(() => socket.terminate())
  await once(socket, 'open')
  return socket
}

t.test('for ten idle times nothing else is asked for', async t => {
  const [talks, forgot] = [await openSocket('talks'), await openSocket('forgot')]
  const goodbye = once(forgot, 'close')
  const cookie = await gateway.signIn('uploads', password)
  const page = { cookie: await gateway.signIn('pings', password) }
  const upload = request({
    ...{ host: '127.0.0.1', servername: 'localhost', ca: gateway.authority.caPem, agent: false },
    ...{ port: gateway.port, path: '/upload', method: 'POST' },
    headers: { host: `localhost:${gateway.port}`, cookie },
  })
  t.teardown(() => upload.destroy())
  const answered = once(upload, 'response')
  const body = new PassThrough()
  body.pipe(upload)
  body.write('x')
  t.ok(await within(2_000, () => upstream.received.some(({ bodyLength }) => bodyLength === 1)))

  const pinged: number[] = []
  let sent = 1
  for (let passed = 0; passed < 10 * idle; passed += 0.75 * idle) {
    clock.move(0.75 * idle)
    body.write('x')
    sent++
    talks.send('hello')
    if (pinged.at(-1) !== 401) pinged.push((await gateway.ask('/webclient/keepalive_ping/', page)).status)
    if (forgot.readyState === WebSocket.OPEN) forgot.ping()
    for (const name of ['uploads', 'talks'])
      t.ok(await within(3_000, () => lastUse(name) === clock.now()), `${name}, after ${passed / idle} idle times`)
  }
  body.end()
  const [answer] = await answered
  t.equal(answer.statusCode, 200)
  t.match(
    upstream.received.find(({ method }) => method === 'POST'),
    { complete: true, bodyLength: sent },
  )
  t.equal(talks.readyState, WebSocket.OPEN)
  const [code, reason] = await goodbye
  t.same([code, String(reason)], [1008, 'the session has ended'], 'pings alone are no use')
  t.same(pinged, [200, 401], 'and neither are those of OMERO.web')

  clock.move(1.1 * idle)
  t.equal((await gateway.ask('/x', { cookie })).status, 401, 'and when the upload is over, idling counts again')
})
