// P04: Orthanc runs `X-HTTP-Method-Override: DELETE` and `?_method=DELETE` as a DELETE. Against a real one, in every
// spelling: a reader deletes nothing, and changes nothing.
import { request } from 'node:http'
import { connect } from 'node:http2'
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { orthancTools, startOrthanc } from '../fixture/orthanc.ts'
import { requireReal } from '../fixture/real.ts'
import { basic, head, statuses, stillAnswers, talk, webSocketLines } from './raw-request.ts'

if (!requireReal(t, orthancTools)) process.exit(0)

const orthanc = await startOrthanc(t, { study: { slices: 1, size: 16 } })
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'correct horse', groups: ['radiology'] } },
  yaml: `
upstreams: { orthanc: { kind: orthanc, url: "${orthanc.url}" } }
routes:
  - { path: /, upstream: orthanc, access: [{ groups: [radiology], may: read }] }
  - { path: /orthanc, upstream: orthanc, strip: true, access: [{ groups: [radiology], may: read }] }
  - { path: /open, upstream: orthanc, strip: true, access: everyone }
`,
})

/** Past the gateway. */
const direct = (path: string, method = 'GET', headers: Record<string, string> = {}, body = '') =>
  new Promise<{ status: number; text: string }>((resolve, reject) => {
    const asked = request(`${orthanc.url}${path}`, { method, headers }, answer => {
      const parts: Buffer[] = []
      answer.on('data', part => parts.push(part))
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString() }))
    })
    asked.once('error', reject).end(body)
  })
const ids = async (level: string): Promise<string[]> => JSON.parse((await direct(`/${level}`)).text) as string[] // Orthanc's list of ids
const [study = ''] = await ids('studies')
const [instance = ''] = await ids('instances')
const stored = async () => [await ids('patients'), await ids('studies'), await ids('series'), await ids('instances')]
const before = await stored()

t.test('this Orthanc takes both for a DELETE, so there is something to guard', async t => {
  const mark = `/studies/${study}/metadata/4000`
  for (const [path, headers] of [
    [`${mark}?_method=DELETE`, {}],
    [mark, { 'X-HTTP-Method-Override': 'DELETE' }],
  ] as const) {
    await direct(mark, 'PUT', {}, 'mark')
    t.equal((await direct(mark)).text, 'mark')
    await direct(path, 'GET', headers)
    t.equal((await direct(mark)).status, 404)
  }
})

const things = [`/studies/${study}`, `/instances/${instance}`]
const prefixes = ['', '/orthanc', '/open']
const lines = [basic('alice:correct horse')]

const queries = [
  ...['_method=DELETE', '_method=delete', '_METHOD=DELETE', '_Method=Delete', '_method=PUT', '_method', '_method='],
  ...['%5Fmethod=DELETE', '%5fmethod=DELETE', '_%6Dethod=DELETE', '%5f%6d%65%74%68%6f%64=DELETE', '_method=%44ELETE'],
  ...['a=b&_method=DELETE', '&_method=DELETE', '&&_method=DELETE', '_method=GET&_method=DELETE', 'a=b;_method=DELETE'],
  ...[
    '+_method=DELETE',
    '_method+=DELETE',
    '%20_method=DELETE',
    '_method%20=DELETE',
    '%09_method=DELETE',
    '?_method=DELETE',
  ],
  ...[
    '_method%3DDELETE',
    '%25_method=DELETE',
    '_method%00=DELETE',
    '_method[]=DELETE',
    'a=%zz&_method=DELETE',
    '_method=DELETE#',
  ],
  ...[
    '%5Fmethod%3DDELETE',
    '_method=DELETE&',
    'expand&_method=DELETE',
    '%C3%28&_method=DELETE',
    '_method%ff=DELETE',
    '\xff_method=DELETE',
  ],
]

t.test('a query replaces no method, in any spelling', async t => {
  for (const prefix of prefixes) {
    for (const thing of things) {
      for (const query of queries) {
        const { text } = await talk(gateway, head(gateway, `GET ${prefix}${thing}?${query} HTTP/1.1`, lines), {
          until: /\r\n\r\n/,
        })
        t.match(String(statuses(text)[0]), /^(200|400|403|404)$/, query)
      }
    }
  }
  t.same(await stored(), before)
})

t.test('a header replaces no method, in any spelling, on any method that is allowed', async t => {
  const names = [
    'X-HTTP-Method-Override',
    'x-http-method-override',
    'X_HTTP_METHOD_OVERRIDE',
    'X-HTTP_Method-Override',
    'X-HTTP-Method',
    'X-Method-Override',
    'X.HTTP.Method.Override',
  ]
  for (const prefix of prefixes) {
    for (const thing of things) {
      for (const method of ['GET', 'HEAD', 'OPTIONS']) {
        for (const name of names) {
          for (const value of ['DELETE', ' delete\t']) {
            const bytes = head(gateway, `${method} ${prefix}${thing} HTTP/1.1`, [
              ...lines,
              `${name}: ${value}`,
              'Connection: close',
            ])
            await talk(gateway, bytes)
          }
        }
      }
    }
  }
  t.same(await stored(), before)
})

t.test('over HTTP/2 it is the same', async t => {
  const session = connect(`https://127.0.0.1:${gateway.port}`, { ca: gateway.authority.caPem, servername: 'localhost' })
  t.teardown(() => session.destroy())
  const ask = async (path: string, headers: Record<string, string | string[]> = {}) => {
    const stream = session.request({
      ':path': path,
      ':authority': `localhost:${gateway.port}`,
      authorization: lines[0]?.slice(15),
      ...headers,
    })
    await Array.fromAsync(stream)
  }
  for (const thing of things) {
    for (const query of queries) if (/^[\x21-\x7e]+$/.test(query)) await ask(`${thing}?${query}`)
    for (const name of ['x-http-method-override', 'x_http_method_override']) {
      await ask(thing, { [name]: 'DELETE' })
      await ask(thing, { [name]: ['GET', 'DELETE'] })
    }
  }
  t.same(await stored(), before)
})

t.test('a POST that only asks is turned into nothing else', async t => {
  for (const query of ['_method=DELETE', '%5Fmethod=PUT']) {
    const body = '{"Level":"Study","Query":{}}'
    const bytes = `${head(gateway, `POST /tools/find?${query} HTTP/1.1`, [...lines, `Content-Length: ${body.length}`])}${body}`
    t.same(statuses((await talk(gateway, bytes, { until: '\r\n\r\n' })).text), [400])
  }
  const form = '_method=DELETE'
  for (const path of ['/tools/find', '/tools/lookup']) {
    const bytes = `${head(gateway, `POST ${path} HTTP/1.1`, [...lines, 'Content-Type: application/x-www-form-urlencoded', 'X-HTTP-Method-Override: DELETE', `Content-Length: ${form.length}`])}${form}`
    await talk(gateway, bytes, { until: '\r\n\r\n' })
  }
  t.same(await stored(), before)
})

t.test('a WebSocket handshake is no way around', async t => {
  for (const query of ['_method=DELETE', '%5fmethod=DELETE']) {
    for (const thing of things) {
      await talk(
        gateway,
        head(gateway, `GET ${thing}?${query} HTTP/1.1`, [
          ...lines,
          ...webSocketLines,
          'X-HTTP-Method-Override: DELETE',
        ]),
        { until: '\r\n\r\n' },
      )
      await talk(
        gateway,
        head(gateway, `GET ${thing} HTTP/1.1`, [...lines, ...webSocketLines, 'X-HTTP-Method-Override: DELETE']),
        { until: '\r\n\r\n' },
      )
    }
  }
  t.same(await stored(), before)
})

t.test('a plain DELETE is refused, and a body behind a GET is no second request', async t => {
  for (const thing of things) {
    t.equal((await gateway.ask(thing, { method: 'DELETE', basic: 'alice:correct horse' })).status, 403)
    const smuggled = `DELETE ${thing} HTTP/1.1\r\nHost: localhost\r\n\r\n`
    const sized = `${head(gateway, 'GET /system HTTP/1.1', [...lines, `Content-Length: ${smuggled.length}`])}${smuggled}`
    await talk(gateway, sized, { until: '\r\n\r\n' })
    const chunked = `${head(gateway, 'GET /system HTTP/1.1', [...lines, 'Transfer-Encoding: chunked'])}${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`
    await talk(gateway, chunked, { until: '\r\n\r\n' })
  }
  t.same(await stored(), before)
  await stillAnswers(t, gateway)
})

t.test('nothing of all that left a mark in Orthanc', async t => {
  t.same(await stored(), before)
  t.notMatch(orthanc.log(), /DELETE|Deleting|removed/i)
})
