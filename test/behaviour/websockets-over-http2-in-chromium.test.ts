// A browser opens its WebSockets on the HTTP/2 connection that its page came by, once it was told that it may.
import t from 'tap'
import { chromiumTools, startChromium } from '../fixture/chromium.ts'
import { requireReal } from '../fixture/real.ts'
import { reply, upgradeEcho } from '../fixture/upstream-answers.ts'
import { startApp, within } from './app.ts'

t.test('Chromium speaks with a signed-in page over HTTP/2, and takes the goodbye when the session ends', async t => {
  if (!requireReal(t, chromiumTools)) return
  const app = await startApp(
    t,
    ({ target }) =>
      target === '/ws'
        ? upgradeEcho()
        : reply({ headers: [['Content-Type', 'text/html']], body: '<title>page</title>' }),
    {
      accounts: { alice: { password: 'alice-password' } },
      yaml: 'routes: [{ path: /, upstream: app, access: authenticated }]',
    },
  )
  const { gateway, upstream } = app
  const { newPage } = await startChromium(t, { caFile: gateway.authority.caFile })
  const page = await newPage()
  await page.goto(gateway.url)
  await page.fill('input[name=name]', 'alice')
  await page.fill('input[name=password]', 'alice-password')
  await page.click('button[type=submit]')
  await page.waitForFunction('document.title === "page"')

  const large = 100_000
  const echoed = await page.evaluate(`new Promise((resolve, reject) => {
    const socket = window.socket = new WebSocket(location.origin.replace('https', 'wss') + '/ws')
    window.ended = new Promise(told => socket.onclose = event => told([event.code, event.reason]))
    socket.onerror = () => reject(new Error('no WebSocket'))
    const back = []
    socket.onopen = () => { socket.send('grüße'); socket.send('x'.repeat(${large})) }
    socket.onmessage = ({ data }) => back.push(data) === 2 && resolve(back)
  })`)
  t.same(echoed, ['grüße', 'x'.repeat(large)])
  const handshake = upstream.received.find(({ target }) => target === '/ws')
  t.equal(handshake?.header('origin'), gateway.url)
  t.equal(handshake?.header('x-remote-user'), 'alice')

  await page.evaluate(`fetch('/-/logout').then(answer => answer.text()).then(text => {
    const token = new DOMParser().parseFromString(text, 'text/html').querySelector('input[name=token]').value
    return fetch('/-/logout', { method: 'POST', body: new URLSearchParams({ token }) })
  }).then(answer => answer.status)`)
  t.same(await page.evaluate('window.ended'), [1008, 'the session has ended'])
  t.ok(await within(4_000, () => gateway.log().some(({ path, status }) => path === '/ws' && status !== undefined)))
  const line = gateway.log().find(({ path }) => path === '/ws')
  t.match(line, { protocol: 'HTTP/2', status: 200, user: 'alice' }, 'it came over HTTP/2')
})
