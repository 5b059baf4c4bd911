/**
 * Authorities that misbehave, by fault or by intent: nothing of what they say leads us astray or costs the certificate.
 */
import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import t from 'tap'
import type { Certified, Said, Step } from './odd-authority.ts'
import { startOddOrdering as start } from './odd-ordering.ts'
import { until } from './ordering.ts'

// Mostly waiting: for the authority, or for the next look at the clock.
t.jobs = 12

t.test('this stand-in is believed when it behaves', async t => {
  const { open, came, steps } = await start(t)
  const acme = open()
  await came()
  t.equal(new X509Certificate(readFileSync(acme.file)).subjectAltName, 'DNS:pacs.example.org')
  t.same(
    new Set(steps),
    new Set(['directory', 'nonce', 'account', 'order', 'authorization', 'state', 'finalize', 'certificate']),
  )
})

const day = 86_400_000
const elsewhere = 'https://127.0.0.1:1/inside'
const change = (part: object) => (usual: Said) => ({ ...usual, body: { ...(usual.body as object), ...part } }) // bodies here are objects
const problem =
  (type: string, detail: string, status = 400) =>
  (): Said => ({
    status,
    headers: { 'content-type': 'application/problem+json' },
    body: { type: `urn:ietf:params:acme:error:${type}`, detail },
  })

const rows: Record<string, [step: Step, answer: (usual: Said) => Said | 'silence', said: RegExp]> = {
  'a directory on another origin': [
    'directory',
    change({ newOrder: elsewhere }),
    /sends us elsewhere, to https:\/\/127\.0\.0\.1:1/,
  ],
  'a directory that is no URL': [
    'directory',
    change({ newNonce: 'nonce' }),
    /directory is not what RFC 8555 says it is \(at newNonce\)/,
  ],
  'a directory that is a page': ['directory', () => ({ body: '<html>' }), /the directory is not JSON/],
  'a directory in plain HTTP': ['directory', change({ newAccount: 'http://127.0.0.1:1/x' }), /sends us elsewhere/],
  'a redirect': ['directory', () => ({ status: 302, headers: { location: elsewhere } }), /\/directory: status 302/],
  'an account elsewhere': [
    'account',
    () => ({ headers: { location: elsewhere }, body: { status: 'valid', contact: ['mailto:a@example.org'] } }),
    /sends us elsewhere/,
  ],
  'an account without a URL': ['account', usual => ({ ...usual, headers: {} }), /gave the account no URL/],
  'an order without a URL': ['order', usual => ({ ...usual, headers: {} }), /gave the order no URL/],
  'an order elsewhere': ['order', usual => ({ ...usual, headers: { location: elsewhere } }), /sends us elsewhere/],
  'an authorization elsewhere': ['order', change({ authorizations: [elsewhere] }), /sends us elsewhere/],
  'a file of ours': [
    'state',
    change({ status: 'ready', finalize: 'file:///etc/passwd' }),
    /sends us elsewhere, to null/,
  ],
  'a token with a path in it': [
    'authorization',
    change({
      status: 'pending',
      challenges: [{ type: 'http-01', url: elsewhere, status: 'pending', token: '../../../etc/passwd' }],
    }),
    /not what RFC 8555 says it is \(at challenges\.0\.token\)/,
  ],
  'no http-01': [
    'authorization',
    change({
      status: 'pending',
      challenges: [{ type: 'dns-01', url: elsewhere, status: 'pending', token: 'x'.repeat(43) }],
    }),
    /does not take http-01 for pacs\.example\.org/,
  ],
  'an order that ends as invalid': [
    'state',
    change({ status: 'invalid', error: { type: 'about:blank', detail: 'no' } }),
    /no \(about:blank\)/,
  ],
  'a state that nobody knows': ['state', change({ status: 'asleep' }), /not what RFC 8555 says it is \(at status\)/],
  'no certificate': ['certificate', () => ({ body: 'here you are' }), /sent no certificate/],
  'an answer without end': ['certificate', () => ({ body: 'x'.repeat(1_000_000) }), /did not answer.*exceeded/i],
  'nonces that are never good': ['order', problem('badNonce', 'again'), /\/order: again \(badNonce\)/],
  'a problem with a line break': [
    'order',
    problem('rejectedIdentifier', 'no\n{"level":"info"}\u001b[2J'),
    /\/order: no \{"level":"info"\} \[2J \(rej/,
  ],
  'a problem of many words': ['order', problem('malformed', 'x'.repeat(5_000)), /^\/order: x{400}…$/],
  'a problem of a proxy': ['order', () => ({ status: 502, body: '<html>Bad Gateway' }), /\/order: status 502/],
}

for (const [title, [step, answer, said]] of Object.entries(rows)) {
  t.test(`told and tried again: ${title}`, async t => {
    const { open, odd, failed, told, tokens, move, came } = await start(t)
    odd[step] = answer
    const acme = open()
    await failed()
    t.match(acme.state.lastProblem?.message, said)
    t.same(tokens, [])
    t.notOk(existsSync(acme.file))
    t.match(told, [{ level: 'error' }])
    delete odd[step]
    move(acme.state.nextTry - Date.now())
    await came()
  })
}

t.test('a certificate that would not serve never takes the place of the one in use', async t => {
  const rows: [title: string, certified: Certified, said: RegExp][] = [
    ['of another key', { otherKey: true }, /does not fit its key/],
    ['of other names', { names: () => ['evil.example'] }, /is not for pacs\.example\.org, viewer\.example\.org/],
    ['of too few names', { names: names => names.slice(0, 1) }, /is not for viewer\.example\.org/],
    ['that has ended', { notAfter: -1_000 }, /ended on .*/],
    ['of the day after tomorrow', { notBefore: 2 * day, notAfter: 9 * day }, /is not valid before .* or this clock/],
  ]
  const { open, failed, came, told, move, now, certified } = await start(t)
  const acme = open(['pacs.example.org', 'viewer.example.org'])
  await came()
  const before = readFileSync(acme.file, 'utf8')
  for (const [index, [title, odd, said]] of rows.entries()) {
    const usual = { names: undefined, notBefore: undefined, notAfter: undefined, otherKey: undefined }
    Object.assign(certified, usual, odd)
    move(acme.state.nextTry - now())
    await failed(index + 1)
    t.match(acme.state.lastProblem?.message, said, title)
    t.equal(readFileSync(acme.file, 'utf8'), before, title)
    t.notOk(existsSync(`${acme.file}.new`), `${title}: no draft with a key stays behind`)
  }
  t.notMatch(JSON.stringify(told), /PRIVATE KEY/)
})

t.test('an authority that looks at no name before all are offered gets its way', async t => {
  const { open, came, odd, steps, directory } = await start(t)
  const link = new URL('authorization', directory).href
  odd.order = change({ authorizations: [`${link}?1`, `${link}?2`, `${link}?3`] })
  odd.authorization = change({ status: 'pending' })
  odd.challenge = usual => {
    if (steps.filter(step => step === 'challenge').length === 3) delete odd.authorization
    return usual
  }
  open()
  await came()
  t.equal(steps.filter(step => step === 'challenge').length, 3)
})

t.test('names that the authority adds do not lead to one order after the other', async t => {
  const { open, came, steps, move, certified } = await start(t)
  certified.names = names => [...names, 'www.pacs.example.org']
  const acme = open()
  await came()
  const asked = steps.length
  move(2 * 60_000)
  t.ok(acme.state.nextTry - Date.now() > 3 * 60_000, 'the next order is the renewal')
  t.equal(steps.length, asked)
})

t.test('an authority that wants to be left alone is, but not for ever', async t => {
  const hour = 3_600_000
  for (const [header, least, most] of [
    ['1800', hour / 2, 0.6 * hour],
    ['999999999', 0.9 * hour, 1.2 * hour],
    [new Date(Date.now() + 400 * day).toUTCString(), 0.9 * hour, 1.2 * hour],
  ] as const) {
    const { open, odd, failed } = await start(t)
    odd.order = () => ({ ...problem('rateLimited', 'too many', 429)(), headers: { 'retry-after': header } })
    const acme = open()
    await failed()
    const wait = acme.state.nextTry - Date.now()
    t.ok(wait >= least - 5_000 && wait < most, `${header}: it waits ${wait} ms`)
  }
})

t.test('whoever asks to be left alone for years does not cost the certificate that is in use', async t => {
  const { open, odd, failed, came, move, now, certified } = await start(t)
  certified.notAfter = 9 * day
  const before = open()
  await came()
  await before[Symbol.asyncDispose]()
  odd.order = () => ({ ...problem('rateLimited', 'too many', 429)(), headers: { 'retry-after': '999999999' } })
  move((before.state.notAfter ?? 0) - now() - day)
  const acme = open()
  await failed()
  const wait = acme.state.nextTry - now()
  t.ok(wait > day / 10 && wait < day / 5, `it waits ${wait} ms of the day that is left`)
})

t.test('an authority that falls silent does not hold up a stop', async t => {
  const { open, odd, steps } = await start(t)
  odd.account = () => 'silence'
  const acme = open()
  await until(
    'the account was asked for',
    () => steps.includes('account'),
    () => steps,
  )
  const before = Date.now()
  await acme[Symbol.asyncDispose]()
  t.ok(Date.now() - before < 2_000)
})

t.test('a server that speaks no TLS is no authority', async t => {
  const plain = createServer((_request, response) => response.end('{}')).listen(0, '127.0.0.1')
  t.teardown(() => plain.close())
  const { open, failed, directory } = await start(t)
  const address = plain.address()
  directory.port = typeof address === 'object' ? String(address?.port) : ''
  const acme = open()
  await failed()
  t.match(acme.state.lastProblem?.message, /did not answer/)
})
