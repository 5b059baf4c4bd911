// H17: a line end, however it is written, in a path or query comes out in no header and no line of log or audit
// (CVE-2023-23936).
import t from 'tap'
import { within } from '../behaviour/app.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { basic, head, statuses, stillAnswers, talk } from './raw-request.ts'

const upstream = await startUpstream(t)
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'correct horse', groups: ['readers'] } },
  yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes:
  - { path: /, upstream: app, access: everyone }
  - { path: /app, upstream: app, access: everyone, strip: true }
  - { path: /closed, upstream: app, access: [{ groups: [readers], may: everything }] }
`,
})
const injected = 'Set-Cookie:%20injected=1'
const ends = [
  '%0d%0a',
  '%0a',
  '%0d',
  '%0D%0A%20',
  '%e5%98%8a%e5%98%8d',
  '%c4%8d%c4%8a',
  '%e2%80%a8',
  '%c2%85',
  '%250d%250a',
  '%00',
]
const person = ['Sec-Fetch-Mode: navigate', 'Accept: text/html']

const heads = (text: string) => text.split('\r\n\r\n').filter(part => part.startsWith('HTTP/1.1'))

t.test('H17: in a path it is refused, or arrives as it was written', async t => {
  for (const end of ends) {
    for (const [prefix, lines] of [
      ['/x', []],
      ['/app', []],
      ['/closed/', person],
      ['/-/', person],
      ['/', person],
    ] as const) {
      const from = upstream.received.length
      const target = `${prefix}${end}${injected}`
      const { text } = await talk(gateway, head(gateway, `GET ${target} HTTP/1.1`, [...lines, 'Connection: close']))
      t.match(String(statuses(text)), /^(200|303|400|404)$/, target)
      for (const part of heads(text)) t.notMatch(part, /^set-cookie: injected/im, target)
      for (const { target: got, header } of upstream.received.slice(from)) {
        t.ok(target.toLowerCase().endsWith(got.toLowerCase()), `${got} is what was written`)
        t.equal(header('set-cookie'), undefined)
      }
    }
  }
  t.same(upstream.malformed, [])
})

t.test('H17: in a query it goes on as it was written, and into no Location', async t => {
  for (const end of ends) {
    const target = `/x?a=${end}${injected}`
    const through = await talk(gateway, head(gateway, `GET ${target} HTTP/1.1`), { until: 'upstream"}' })
    t.same(statuses(through.text), [200])
    t.equal(upstream.received.at(-1)?.target, target)

    const from = upstream.received.length
    for (const asked of [
      `/closed/x?a=${end}${injected}`,
      `/app?a=${end}${injected}`,
      `/-/login?next=/x${end}${injected}`,
    ]) {
      const { text } = await talk(gateway, head(gateway, `GET ${asked} HTTP/1.1`, [...person, 'Connection: close']))
      t.match(String(statuses(text)), /^(200|30[1378]|400)$/, asked)
      const [first = ''] = heads(text)
      t.notMatch(first, /^set-cookie: injected/im, asked)
      t.notMatch(first, /^(?:location|refresh): .*[^\x20-\x7e\r\n].*$/im, asked)
    }
    t.equal(upstream.received.length, from, 'and nothing arrived')
  }
  t.same(upstream.malformed, [])
})

t.test('H17: raw line ends in a target, and names with them, are no request and no line', async t => {
  const from = upstream.received.length
  for (const raw of ['/x\r\nX: y', '/x\ny', '/x\ry', '/x\0y', '/x\x0by', '/x\x85y', '/x y'])
    t.same(statuses((await talk(gateway, head(gateway, `GET ${raw} HTTP/1.1`))).text), [400], JSON.stringify(raw))
  const lines = [basic('alice\r\n{"event":"forged"}:x'), 'User-Agent: a\tb', 'Connection: close']
  t.same(statuses((await talk(gateway, head(gateway, 'GET /closed/x HTTP/1.1', lines))).text), [401])
  t.equal(upstream.received.length, from)

  t.equal((await gateway.ask('/closed/y?a=%0d%0ab', { basic: 'alice:correct horse' })).status, 200)
  t.ok(await within(2_000, () => gateway.audit().length > 0), 'the audit can be read: every line is one')
  for (const line of [...gateway.audit(), ...gateway.log()]) {
    t.not(line['event'], 'forged')
    t.notMatch(String(line['path'] ?? ''), /[\x00-\x1f\x7f\u2028]/)
  }
  await stillAnswers(t, gateway)
})
