// L05: whatever stands in `next`, signing in leads to a path of this origin.
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { head, stillAnswers, talk } from './raw-request.ts'

const upstream = await startUpstream(t)
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'correct horse', groups: ['radiology'] } },
  yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]
`,
})
const client = await gateway.authority.client('alice')

const bad = [
  ...[
    '//evil.example',
    '///evil.example',
    '////evil.example',
    '/\\evil.example',
    '\\/evil.example',
    '\\\\evil.example',
    '/\\/evil.example',
  ],
  ...[
    'https:evil.example',
    'https:/evil.example',
    'https://evil.example',
    'HTTPS://evil.example',
    'http:evil.example',
    '//evil.example@localhost',
  ],
  ...[
    '%2f%2fevil.example',
    '/%2f%2fevil.example',
    '/%2Fevil.example',
    '/%5cevil.example',
    '/%09/evil.example',
    '%68ttps://evil.example',
  ],
  ...[
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'java\tscript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'blob:https://evil.example/x',
  ],
  ...[
    '\t//evil.example',
    ' //evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    '/\r/evil.example',
    '\u0000//evil.example',
    '\u000b//evil.example',
  ],
  ...[
    '/a\r\nSet-Cookie: x=y',
    '/a\nLocation: https://evil.example',
    '/a%0d%0aSet-Cookie:%20x=y',
    '/\u2028/evil.example',
    '\u3002\u3002evil',
  ],
  ...[
    '/./\\evil.example',
    '/.//evil.example',
    '/..//evil.example',
    '/x/..//evil.example',
    '/%2e//evil.example',
    '/%2e%2e//evil.example',
    '/;//evil.example',
  ],
  ...[
    '.evil.example',
    '@evil.example',
    ':443',
    '?//evil.example',
    '#//evil.example',
    'evil',
    '',
    `/${'a'.repeat(5_000)}`,
    '/-/logout',
    '/-/login?next=//evil',
  ],
  ...['/／evil.example', '／／evil.example', '/\uFF0F/evil.example', '/\u2215/evil.example', '/\u{e0001}/evil'],
]

/** In ASCII: a title with a line separator in it breaks the report. */
const shown = (text: string | undefined) => encodeURI(text ?? 'nothing').slice(0, 60)

/** Where a browser goes from here. */
const reached = (location: string | undefined) => new URL(location ?? 'none:', gateway.url)

t.test('by the form, with a certificate: the answer leads to this origin', async t => {
  const out = '__Host-sallyport-out=1'
  for (const next of bad) {
    const form = await gateway.ask(`/-/login?${new URLSearchParams({ next })}`, { client, cookie: out })
    const hidden = /name="next" value="([^"]*)"/.exec(form.text)?.[1] ?? ''
    t.equal(reached(hidden.replaceAll('&amp;', '&')).origin, gateway.url, `${shown(next)} in the page`)
    const token = /name="token" value="([^"]+)"/.exec(form.text)?.[1] ?? ''
    const cookie = [out, ...form.cookies.map(line => line.split(';')[0])].join('; ')
    const answer = await gateway.ask('/-/login', {
      method: 'POST',
      client,
      cookie,
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: gateway.url },
      body: new URLSearchParams({ action: 'certificate', next, token }).toString(),
    })
    const location = answer.headers['location']
    t.equal(answer.status, 303)
    t.equal(reached(location).origin, gateway.url, `${shown(next)} became ${shown(location)}`)
    t.notMatch(location, /^\/[/\\]|[\x00-\x20\\]/)
    t.equal(answer.headers['x-y'] ?? answer.cookies.find(line => line.startsWith('x=')), undefined)
    const followed = await gateway.ask(location ?? '', { client })
    t.notMatch(followed.headers['location'] ?? '', /evil/, 'nor does the next step')
  }
})

t.test('by the redirect to the form: what was asked for comes back encoded', async t => {
  const person = ['Accept: text/html', 'Sec-Fetch-Mode: navigate']
  for (const target of [
    '/x?next=//evil.example',
    '/x?a=b&next=https://evil.example',
    '/a%20b',
    '/x?%0d%0aSet-Cookie:x=y',
    '/https://evil.example',
  ]) {
    const { text } = await talk(gateway, head(gateway, `GET ${target} HTTP/1.1`, person), { until: '\r\n\r\n' })
    const [, location = ''] = /location: ([^\r\n]*)/.exec(text) ?? []
    t.equal(reached(location).origin, gateway.url, target)
    if (location !== '') t.match(location, /^\/-\/login\?next=%2F[^&]*$/)
    t.notMatch(text, /\nset-cookie:x/i)
  }
})

t.test('by name and password: the same', async t => {
  for (const next of ['//evil.example', '/\\evil.example', '/viewer?a=b#c']) {
    const form = await gateway.ask('/-/login')
    const answer = await gateway.ask('/-/login', {
      method: 'POST',
      cookie: form.cookies.map(line => line.split(';')[0]).join('; '),
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: gateway.url },
      body: new URLSearchParams({
        name: 'alice',
        password: 'correct horse',
        next,
        token: /name="token" value="([^"]+)"/.exec(form.text)?.[1] ?? '',
      }).toString(),
    })
    t.match(
      { status: answer.status, location: answer.headers['location'] },
      { status: 303, location: next.includes('evil') ? '/-/home' : next },
    )
  }
  await stillAnswers(t, gateway)
})
