// The stand-in for OMERO.web believes and refuses what OMERO.web would.
import { request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { djangoTools, startDjango } from '../fixture/django.ts'
import { requireReal } from '../fixture/real.ts'

/** Plain node:http, since fetch forbids some of these headers. */
const ask = (
  url: string,
  { headers = {}, ...options }: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<{ status: number; cookies: string[]; location: string | undefined; text: string }> =>
  new Promise((resolve, reject) => {
    const asking = request(url, { method: options.method ?? 'GET', headers, agent: false }, answer => {
      const parts: Buffer[] = []
      answer.on('data', part => parts.push(part))
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          cookies: (answer.headers['set-cookie'] ?? []).map(cookie => cookie.split(';')[0] ?? ''),
          location: answer.headers.location,
          text: Buffer.concat(parts).toString(),
        }),
      )
    })
    asking.on('error', reject)
    asking.end(options.body)
  })

const behindProxy = { host: 'gateway.test:8443', 'x-forwarded-proto': 'https' }

t.test('it believes the scheme header and the Host, and no other', async t => {
  if (!requireReal(t, djangoTools)) return
  const { url } = await startDjango(t)
  const { text } = await ask(`${url}/omero/echo/?a=1`, {
    headers: { ...behindProxy, 'x-forwarded-host': 'evil.test', 'x-extra': 'kept' },
  })
  t.match(JSON.parse(text), {
    secure: true,
    absolute: 'https://gateway.test:8443/omero/echo/?a=1',
    headers: { 'X-Extra': 'kept', 'X-Forwarded-Host': 'evil.test' },
  })
  t.match(JSON.parse((await ask(`${url}/omero/echo/`)).text), { secure: false })
  t.equal((await ask(`${url}/echo/`)).status, 500, 'a path without the prefix is not for it')
})

t.test('signing in needs the token, the cookie and the right Origin and Referer', async t => {
  if (!requireReal(t, djangoTools)) return
  const { url, log } = await startDjango(t)
  const { location } = await ask(`${url}/omero/webclient/`)
  t.equal(location, '/omero/webclient/login/?url=/omero/webclient/')

  const login = `${url}${location}`
  const form = await ask(login, { headers: behindProxy })
  const token = /name="csrfmiddlewaretoken" value="(\w+)"/.exec(form.text)?.[1] ?? ''
  const cookie = form.cookies.find(one => one.startsWith('csrftoken=')) ?? ''
  const post = (headers: Record<string, string>, csrf = token, password = 'pw') =>
    ask(login, {
      method: 'POST',
      headers: { ...behindProxy, 'content-type': 'application/x-www-form-urlencoded', cookie, ...headers },
      body: new URLSearchParams({ username: 'root', password, csrfmiddlewaretoken: csrf }).toString(),
    })
  const referer = 'https://gateway.test:8443/omero/webclient/login/'
  const origin = 'https://gateway.test:8443'

  t.equal((await post({ referer, origin }, 'x'.repeat(64))).status, 403, 'wrong token')
  t.equal((await post({ origin })).status, 403, 'no Referer over https')
  t.equal((await post({ referer, origin: 'https://evil.test' })).status, 403, 'foreign Origin')
  t.equal((await post({ referer, origin, 'x-forwarded-proto': 'http' })).status, 403, 'scheme lost on the way')
  t.match((await post({ referer, origin }, token, 'no')).text, 'Wrong name or password')

  const done = await post({ referer, origin })
  t.match(done, { status: 302, location: '/omero/webclient/' })
  const session = done.cookies.find(one => one.startsWith('sessionid=')) ?? ''
  const page = await ask(`${url}/omero/webclient/`, { headers: { ...behindProxy, cookie: session } })
  t.match(page.text, 'Welcome root')
  t.match(page.text, 'https://gateway.test:8443/omero/webclient/')
  // gunicorn writes the line when the answer has gone out.
  const line = '"POST /omero/webclient/login/?url=/omero/webclient/ HTTP/1.1" 302'
  for (const end = Date.now() + 10_000; !log().includes(line) && Date.now() < end; ) await pause(20)
  t.match(log(), line)
})

t.test('uploads are counted, with a length and in chunks, and exports stream', async t => {
  if (!requireReal(t, djangoTools)) return
  const { url } = await startDjango(t)
  const body = Buffer.alloc(3_000_001)
  const upload = (headers: Record<string, string>) => ask(`${url}/omero/upload/`, { method: 'POST', headers, body })
  t.same(JSON.parse((await upload({ 'content-length': String(body.length) })).text), { bytes: body.length })
  t.same(JSON.parse((await upload({ 'transfer-encoding': 'chunked' })).text), { bytes: body.length })
  t.equal((await ask(`${url}/omero/export/?n=2`)).text.length, 2 * 1024 * 1024)
})

t.test('the scheme header and the use of X-Forwarded-Host can be other ones', async t => {
  if (!requireReal(t, djangoTools)) return
  const { url } = await startDjango(t, {
    prefix: '',
    schemeHeader: 'X-Forwarded-Proto-Omero-Web',
    useXForwardedHost: true,
  })
  const { text } = await ask(`${url}/echo/`, {
    headers: { 'x-forwarded-proto-omero-web': 'https', 'x-forwarded-host': 'gateway.test' },
  })
  t.match(JSON.parse(text), { secure: true, absolute: 'https://gateway.test/echo/' })
})
