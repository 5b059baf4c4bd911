/**
 * What another web site may make a browser do here: nothing that changes anything, and no WebSocket.
 */
import t from 'tap'
import type { HeaderList } from '../../src/listener/exchange.ts'
import { crossSiteProblem } from '../../src/policy/cross-site.ts'

const rules = { allowed: new Set(['https://viewer.example.org']), publicOrigin: 'https://imaging.example.org' }

interface Row {
  readonly method?: string
  readonly socket?: boolean
  readonly proof?: string
  readonly headers: HeaderList
  readonly authority?: string
}

const passes = ({ method = 'POST', socket = false, proof, headers, authority = 'imaging.example.org:8443' }: Row) =>
  crossSiteProblem({ method, headers, authority, webSocket: socket }, rules, proof) === undefined

const origin = (value: string): HeaderList => [['origin', value]]
const site = (value: string): HeaderList => [['sec-fetch-site', value]]

const refused: Record<string, Row> = {
  'another origin': { headers: origin('https://evil.example') },
  'another port of ours': { headers: origin('https://imaging.example.org:9999') },
  'ours without TLS': { headers: origin('http://imaging.example.org:8443') },
  'an opaque origin': { headers: origin('null') },
  'an origin that is no URL': { headers: origin('imaging.example.org') },
  'an empty origin': { headers: origin('') },
  'a name that only begins like ours': { headers: origin('https://imaging.example.org.evil.example') },
  'two origins, one of them ours': {
    headers: [...origin('https://imaging.example.org'), ...origin('https://evil.example')],
  },
  'cross-site without Origin': { headers: site('cross-site') },
  'same-site, a neighbour under our domain': { headers: site('same-site') },
  'our origin, but said to be cross-site': {
    headers: [...origin('https://imaging.example.org'), ...site('cross-site')],
  },
  'two Sec-Fetch-Site': { headers: [...site('same-origin'), ...site('cross-site')] },
  'a WebSocket from another origin': { method: 'GET', socket: true, headers: origin('https://evil.example') },
  'a WebSocket said to be same-site': { method: 'GET', socket: true, headers: site('same-site') },
  'a WebSocket with a session that says nothing': { method: 'GET', socket: true, proof: 'session', headers: [] },
  'DELETE with a certificate': { method: 'DELETE', proof: 'certificate', headers: origin('https://evil.example') },
  'PUT with Basic credentials': { method: 'PUT', proof: 'password', headers: site('cross-site') },
  'a method nobody knows': { method: 'PURGE', headers: origin('https://evil.example') },
}

const allowed: Record<string, Row> = {
  'our public origin': { headers: origin('https://imaging.example.org') },
  'the origin as it was asked for': { headers: origin('https://imaging.example.org:8443') },
  'the default port, written out or not': { headers: origin('https://pacs'), authority: 'pacs:443' },
  'a listed origin, cross-site as it must be': {
    headers: [...origin('https://viewer.example.org'), ...site('cross-site')],
  },
  'same-origin': { headers: site('same-origin') },
  'typed by hand': { headers: site('none') },
  'neither header: a script': { headers: [], proof: 'password' },
  'neither header, with a session': { headers: [], proof: 'session' },
  'a WebSocket from ours': {
    method: 'GET',
    socket: true,
    proof: 'session',
    headers: origin('https://imaging.example.org'),
  },
  'a WebSocket from a listed origin': {
    method: 'GET',
    socket: true,
    proof: 'session',
    headers: origin('https://viewer.example.org'),
  },
  'a WebSocket with a certificate that says nothing': {
    method: 'GET',
    socket: true,
    proof: 'certificate',
    headers: [],
  },
  'GET from anywhere': { method: 'GET', headers: [...origin('https://evil.example'), ...site('cross-site')] },
  'HEAD from anywhere': { method: 'HEAD', headers: site('cross-site') },
  'OPTIONS from anywhere': { method: 'OPTIONS', headers: origin('https://evil.example') },
}

t.test('these are turned down, whatever the proof', async t => {
  for (const [title, row] of Object.entries(refused)) t.notOk(passes(row), title)
})

t.test('these go on', async t => {
  for (const [title, row] of Object.entries(allowed)) t.ok(passes(row), title)
})

t.test('the audit trail learns where the request came from, cut to a bearable length', async t => {
  const request = { method: 'POST', authority: 'imaging.example.org', webSocket: false }
  const long = `https://${'a'.repeat(500)}.example`
  t.equal(
    crossSiteProblem({ ...request, headers: origin('https://evil.example') }, rules, undefined),
    'the request comes from another site (Origin https://evil.example)',
  )
  t.ok((crossSiteProblem({ ...request, headers: origin(long) }, rules, undefined) ?? '').length < 260)
  t.match(crossSiteProblem({ ...request, headers: site('cross-site') }, rules, undefined), /Sec-Fetch-Site/)
})
