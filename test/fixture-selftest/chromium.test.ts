// Chromium shows the certificate it was given to the server it was given for, and trusts only our authority.
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { chromiumTools, startChromium } from '../fixture/chromium.ts'
import { type LabPki, labPkiTools, startLabPki } from '../fixture/lab-pki.ts'
import { requireReal, requireRoot } from '../fixture/real.ts'

const tools = [...chromiumTools, ...labPkiTools]

/** An https server that asks for a certificate and answers with its common name; who has none is to be answered too. */
async function startDoor(t: Pick<Test, 'teardown'>, pki: LabPki) {
  const server = createServer(
    // Not insisted on: who has no certificate is to get an answer that says so; `authorized` below is the verdict.
    { ...pki.server, ca: pki.ca, requestCert: true, rejectUnauthorized: false },
    (ask, answer) => {
      const socket = ask.socket instanceof TLSSocket ? ask.socket : undefined
      const name = socket?.authorized ? socket.getPeerX509Certificate()?.subject : 'nobody'
      answer.setHeader('content-type', 'text/html')
      answer.end(`<!doctype html><title>door</title><p>${name}</p><p>${ask.headers['cookie'] ?? 'no cookie'}</p>`)
    },
  )
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  // Safe: the server listens on a TCP port.
  return `https://localhost:${(server.address() as AddressInfo).port}`
}

t.test('two browsers at once each show their own certificate from their own store', async t => {
  if (!requireReal(t, tools) || !requireRoot(t, 'browser policy')) return
  const show = async (issuer: string, name: string) => {
    const pki = startLabPki(t, issuer)
    const door = await startDoor(t, pki)
    const { newPage } = await startChromium(t, {
      caFile: pki.caFile,
      p12: pki.client(name).p12,
      autoSelectFor: { pattern: door, issuer },
      viewport: { width: 640, height: 480 },
      colorScheme: 'dark',
    })
    const page = await newPage()
    await page.goto(door, { timeout: 10_000 })
    t.equal(await page.textContent('p'), `CN=${name}`)
    return page
  }
  const [page] = await Promise.all([show('First Authority', 'alice'), show('Second Authority', 'bob')])
  t.same(page.viewportSize(), { width: 640, height: 480 })
  // As text, for it runs in the browser, whose types are not ours.
  t.equal(await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches"), true)
  t.equal(await page.evaluate("document.createElement('canvas').getContext('webgl2') !== null"), true, 'WebGL is there')
})

t.test('without a certificate the page loads as nobody, and cookies are shared by pages', async t => {
  if (!requireReal(t, tools)) return
  const pki = startLabPki(t)
  const door = await startDoor(t, pki)
  const { newPage } = await startChromium(t, { caFile: pki.caFile })
  const [first, second] = [await newPage(), await newPage()]
  await first.goto(door)
  t.equal(await first.textContent('p'), 'nobody')
  await first.evaluate("document.cookie = 'seen=yes'")
  await second.goto(door)
  t.equal(await second.textContent('p:nth-of-type(2)'), 'seen=yes')

  const stranger = startLabPki(t, 'Strange Authority')
  await t.rejects(first.goto(await startDoor(t, stranger)), /ERR_CERT_AUTHORITY_INVALID/)
})

t.test("playwright's own client certificates work without store and policy", async t => {
  if (!requireReal(t, tools)) return
  const pki = startLabPki(t)
  const door = await startDoor(t, pki)
  const strangeDoor = await startDoor(t, startLabPki(t, 'Strange Authority'))
  const { file: pfxPath, password: passphrase } = pki.client('carol').p12
  const { newPage } = await startChromium(t, {
    caFile: pki.caFile,
    clientCertificates: [door, strangeDoor].map(origin => ({ origin, pfxPath, passphrase })),
  })
  const page = await newPage()
  await page.goto(door)
  t.equal(await page.textContent('p'), 'CN=carol')

  // Playwright answers with an error page of its own where a browser would refuse to load.
  await page.goto(strangeDoor).catch(() => {})
  t.notMatch(await page.textContent('body'), 'carol', 'an authority that is not ours is not trusted here either')
})
