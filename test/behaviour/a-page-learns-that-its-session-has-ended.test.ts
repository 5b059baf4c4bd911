// A page in a real browser learns why its WebSocket is gone, when its person signs out in another tab: a clean end with
// 1008, which scripts can tell from a line that broke.
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { chromiumTools, startChromium } from '../fixture/chromium.ts'
import { requireReal } from '../fixture/real.ts'
import { reply, upgradeEcho } from '../fixture/upstream-answers.ts'
import { fillLogin } from '../real/in-browser.ts'
import { startApp } from './app.ts'

if (!requireReal(t, chromiumTools)) process.exit(0)

const password = 'a pass-word'
const html = '<!doctype html><title>Board</title><h1>Board</h1>'

t.test('signing out in another tab', async t => {
  const { gateway } = await startApp(
    t,
    request =>
      request.header('upgrade') === undefined
        ? reply({ headers: [['Content-Type', 'text/html; charset=utf-8']], body: html })
        : upgradeEcho(),
    {
      certificate: 'none',
      accounts: { alice: { password } },
      yaml: 'routes: [{ path: /, upstream: app, access: authenticated }]',
    },
  )
  const chromium = await startChromium(t, { caFile: gateway.authority.caFile })
  const [board, other] = [await chromium.newPage(), await chromium.newPage()]
  await board.goto(`${gateway.url}/board`)
  t.equal(await fillLogin(board, 'alice', password), 303)
  await board.evaluate(`new Promise(resolve => {
    const socket = new WebSocket('wss://' + location.host + '/live')
    socket.onopen = resolve
    socket.onclose = ({ code, reason, wasClean }) => { window.goodbye = { code, reason, wasClean } }
  })`)
  await other.goto(`${gateway.url}/-/logout`)
  await other.getByRole('button', { name: 'Sign out', exact: true }).click()
  let goodbye: unknown
  for (const deadline = Date.now() + 8_000; goodbye === undefined && Date.now() < deadline; await pause(50))
    goodbye = await board.evaluate('window.goodbye')
  t.same(goodbye, { code: 1008, reason: 'the session has ended', wasClean: true })
})
