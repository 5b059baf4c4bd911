// A Django application as OMERO.web is one works behind the gateway as if it stood at the public address itself.
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { chromiumTools, startChromium } from '../fixture/chromium.ts'
import { djangoTools, startDjango } from '../fixture/django.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { requireReal } from '../fixture/real.ts'
import { shoot, until, watch } from './in-browser.ts'

const MB = 1024 * 1024

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')
/** What this process, and the gateway in it, keeps in buffers: without what was only not swept out yet. */
function held(): number {
  collect()
  // Buffers are counted until the sweep after a collection has ended, and the next one waits for that.
  collect()
  return process.memoryUsage().arrayBuffers / MB
}

/** As OMERO.web's documents have it: its own header says https. */
async function startOmero(t: Test) {
  const django = await startDjango(t, { schemeHeader: 'X-Forwarded-Proto-OMERO-Web' })
  const yaml = `
upstreams:
  omero: { kind: omero-web, url: "${django.url}", headers: { X-Forwarded-Proto-OMERO-Web: https } }
routes:
  - { path: /omero, upstream: omero, access: everyone }
`
  const gateway = await startTestGateway(t, { yaml, certificate: 'none' })
  return { django, gateway, omero: `${gateway.url}/omero` }
}

async function fillOmeroLogin(page: Page, password: string): Promise<void> {
  await page.getByLabel('Name').fill('root')
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** Runs in the page. */
const upload = `fetch('/omero/upload/', { method: 'POST', body: new Blob([new Uint8Array(${50 * MB})]) }).then(a => a.json())`

t.test('a person signs in at OMERO.web itself, and what it knows of the way there is right', async t => {
  if (!requireReal(t, [...chromiumTools, ...djangoTools])) return
  const { django, gateway, omero } = await startOmero(t)
  const { newPage } = await startChromium(t, { caFile: gateway.authority.caFile })
  const page = await newPage()
  const seen = watch(page, gateway.url)

  await page.goto(`${omero}/webclient/`)
  t.equal(
    page.url(),
    `${omero}/webclient/login/?url=/omero/webclient/`,
    'its own login page, and none of ours before it',
  )
  await fillOmeroLogin(page, 'wrong')
  await page.getByText('Wrong name or password').waitFor()
  await fillOmeroLogin(page, 'pw')
  await page.getByText('Welcome root').waitFor()
  await page.waitForLoadState('load')
  t.equal(await page.textContent('#url'), `${omero}/webclient/`, 'absolute addresses are those that people type')
  t.equal(await page.textContent('#secure'), 'True')
  t.equal(await page.evaluate('document.documentElement.dataset.ready'), 'yes', 'static files come by the prefix')
  t.same(seen.refusals(), [])
  const cookies = (await page.context().cookies()).map(({ name, path }) => `${name} ${path}`)
  t.same(cookies.toSorted(), ['csrftoken /', 'sessionid /'], "the cookies are OMERO.web's own")

  const foreign = `fetch('/omero/webclient/login/', { method: 'POST', body: new URLSearchParams({ username: 'root', password: 'pw' }) }).then(a => a.status)`
  t.equal(await page.evaluate(foreign), 403, 'without its token OMERO.web still refuses')
  const refused = /"POST \/omero\/webclient\/login\/ HTTP\/1\.1" 403/
  t.match(
    await until(
      async () => django.log(),
      log => refused.test(log),
    ),
    refused,
    'and it was OMERO.web that did',
  )
  t.same(await page.evaluate(upload), { bytes: 50 * MB }, '50 MB go up from a browser, over HTTP/2')
})

t.test('what a client says of its own way changes nothing', async t => {
  if (!requireReal(t, djangoTools)) return
  const { gateway } = await startOmero(t)
  for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
    const { text } = await gateway.ask('/omero/echo/', {
      protocol,
      headers: {
        'x-forwarded-proto': ['http', 'gopher'],
        'x-forwarded-proto-omero-web': 'http',
        x_forwarded_proto: 'http',
        'x-forwarded-for': '203.0.113.9',
        'x-forwarded-host': 'evil.example',
        forwarded: 'proto=http;host=evil.example',
        'x-remote-user': 'root',
        'x-request-id': 'mine',
      },
    })
    const { headers, ...facts } = JSON.parse(text)
    t.match(
      facts,
      { secure: true, absolute: `${gateway.url}/omero/echo/`, host: `localhost:${gateway.port}` },
      protocol,
    )
    // WSGI joins what comes twice with a comma.
    t.match(headers, {
      'X-Forwarded-Proto': /^https$/,
      'X-Forwarded-Proto-Omero-Web': /^https$/,
      'X-Forwarded-For': /^127\.0\.0\.1$/,
      'X-Forwarded-Host': `localhost:${gateway.port}`,
      'X-Request-Id': /^[^,]{8,}$/,
    })
    t.notMatch(JSON.stringify(headers), /evil|gopher|203\.0\.113|mine|Remote-User/)
  }
})

t.test('uploads and exports stream: the gateway never holds them whole', async t => {
  if (!requireReal(t, djangoTools)) return
  const { gateway } = await startOmero(t)
  const chunk = Buffer.alloc(MB)
  const before = held()

  let atTheEnd = Number.NaN
  async function* fiftyMegabytes() {
    for (let sent = 0; sent < 50; sent++) yield chunk
    atTheEnd = held() - before
  }
  const taken = await gateway.ask('/omero/upload/', {
    method: 'POST',
    headers: { 'content-length': String(50 * MB) },
    body: Readable.from(fiftyMegabytes()),
  })
  t.same(JSON.parse(taken.text), { bytes: 50 * MB }, 'all of it arrived')
  t.ok(atTheEnd < 25, 'and was passed on as it came', { atTheEnd })

  const download = await gateway.open('/omero/export/?n=50')
  let received = 0
  const parts: AsyncIterable<Buffer> = download // no encoding is set
  for await (const part of parts) {
    if (received < 10 * MB && received + part.length >= 10 * MB) {
      await pause(500)
      t.ok(held() - before < 25, 'a client that stops reading stops the export', { held: held() - before })
    }
    received += part.length
  }
  t.equal(received, 50 * MB, 'and gets all of it in the end')
})

t.test('while OMERO.web is stopped a person reads so, and the page tries again by itself', async t => {
  if (!requireReal(t, [...chromiumTools, ...djangoTools])) return
  const { django, gateway, omero } = await startOmero(t)
  const { newPage } = await startChromium(t, { caFile: gateway.authority.caFile })
  const page = await newPage()
  const seen = watch(page, gateway.url)
  t.equal((await page.goto(`${omero}/webclient/login/`))?.status(), 200)

  await django.stop()
  const answer = await page.goto(`${omero}/webclient/login/?a=1`)
  t.equal(answer?.status(), 502)
  const headers = (await answer?.allHeaders()) ?? {}
  t.match(headers, { 'retry-after': '30', 'cache-control': 'no-store' })
  t.equal(await page.textContent('h1'), 'OMERO.web is not available at the moment')
  t.match(await page.textContent('main'), headers['x-request-id'], 'the number for the people who look after it')
  t.notMatch(await page.content(), String(django.port), 'where it stands is nobody’s business')
  t.equal(await page.locator('meta[http-equiv="refresh"]').getAttribute('content'), '30')
  t.same(seen.complaints, [])
  await shoot(page, 'omero-stopped')

  const program = await gateway.ask('/omero/echo/')
  t.match(
    { status: program.status, ...program.headers },
    { status: 502, 'content-type': 'application/problem+json', 'retry-after': '30' },
  )
  t.match(JSON.parse(program.text), { reason: 'upstream-unreachable', upstream: 'omero' })
})
