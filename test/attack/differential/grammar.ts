/**
 * Valid HTTP/1.1 requests, in all the shapes that a client may give them.
 *
 * Each has a name of its own in its path (a marker), and many bodies hold a whole request of another name, which must
 * never be read as one. All text is latin1, one character for each byte. Source: RFC 9112 3, 5, 6, 7.
 */
import { webSocketKey } from '../raw-request.ts'
import type { Random } from './random.ts'

export interface Draft {
  method: string
  target: string
  version: string
  /** Without their line ends. */
  lines: string[]
  /** Behind the empty line. */
  body: string
}

/** Whom the requests are for. */
export interface Aim {
  /** host:port as in Host */
  readonly host: string
}

export const writeDraft = ({ method, target, version, lines, body }: Draft): string =>
  `${[`${method} ${target} ${version}`, ...lines].join('\r\n')}\r\n\r\n${body}`

export const methods = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH', 'PROPFIND', 'REPORT', 'PURGE']

/** A request that nobody asks for: wherever it is seen as one, a body was taken for a head. */
export const smuggled = (marker: string, { host }: Aim): string =>
  `GET /smuggled/${marker} HTTP/1.1\r\nHost: ${host}\r\n\r\n`

/** A request behind another one: it may arrive where the other could be read to its end. */
export const behind = (marker: string, { host }: Aim): string =>
  `GET /behind/${marker} HTTP/1.1\r\nHost: ${host}\r\n\r\n`

function targetOf(random: Random, marker: string, { host }: Aim): string {
  const path = `/fuzz/${marker}`
  return random.pick([
    path,
    path,
    path,
    `${path}/`,
    `${path}?a=b&c=%2F..%2f&d`,
    `${path}?`,
    `${path}?x=/../%00%0d%0a`,
    `${path}/a%20b/%C3%a4`,
    `${path}/%7euser;v=1`,
    `/f%75zz/${marker}/x`,
    `${path}/a+b,c=d:e@f!$&'()*`,
    `https://${host}${path}`,
    `http://${host}${path}?q`,
  ])
}

const plainLines = [
  'Accept: */*',
  'Accept-Encoding: gzip',
  'X-Empty:',
  'X-Tabs:\t a \t b\t',
  'X-High: \xe4\xf6\xfc',
  'Cookie: a=b; c=d',
  'Cookie: e=f',
  'Connection: keep-alive',
  'Connection: X-Named, close',
  'Connection: close',
  'X-Named: value',
  'Content-Type: text/plain',
  'Range: bytes=0-1',
  'If-None-Match: "x"',
  'TE: trailers',
  'Trailer: X-Trailer',
  'Authorization: Bearer token',
  'X-Forwarded-For: 192.0.2.1',
  'Upgrade: h2c',
  'Via: 1.1 somebody',
  'Max-Forwards: 0',
  'Keep-Alive: timeout=5',
]

/** In chunks of some sizes, with extensions and trailers here and there. */
export function chunked(random: Random, body: string): string {
  let text = ''
  for (let at = 0; at < body.length; ) {
    const size = random.oneIn(2) ? body.length - at : 1 + random.below(body.length - at)
    const digits = random.pick([size.toString(16), size.toString(16).toUpperCase(), `0${size.toString(16)}`])
    text += `${digits}${random.pick(['', '', '', ';a=b', ';a', ';a="b;c"'])}\r\n${body.slice(at, at + size)}\r\n`
    at += size
  }
  const trailers = random.oneIn(5) ? random.pick(['X-Trailer: t\r\n', 'X-Remote-User: trailer\r\nX-B: c\r\n']) : ''
  return `${text}${random.pick(['0', '0', '000', '0;last'])}\r\n${trailers}\r\n`
}

function bodyText(random: Random, marker: string, aim: Aim): string {
  const rider = smuggled(marker, aim)
  return random.pick([
    'hello',
    '',
    rider,
    rider,
    `0\r\n\r\n${rider}`,
    `5\r\nhello\r\n0\r\n\r\n${rider}`,
    `\r\n\r\n${rider}`,
    `{"a":"${'x'.repeat(random.below(300))}"}`,
    '\0\xff\r\n'.repeat(1 + random.below(40)),
  ])
}

const webSocket = (): string[] => [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${webSocketKey}`,
]

export function draftRequest(random: Random, marker: string, aim: Aim): Draft {
  if (random.oneIn(14)) {
    const target = `/fuzz/${marker}${random.pick(['?switch', '', '/x'])}`
    const early = random.pick(['', '', '\x81\x00', smuggled(marker, aim)])
    return { method: 'GET', target, version: 'HTTP/1.1', lines: [`Host: ${aim.host}`, ...webSocket()], body: early }
  }
  const method = random.pick(random.oneIn(2) ? ['GET', 'POST', 'DELETE'] : methods)
  const lines = [`Host: ${aim.host}`]
  for (let more = random.below(4); more > 0; more--) lines.push(random.pick(plainLines))
  if (random.oneIn(12)) lines.push('Expect: 100-continue')
  const draft: Draft = { method, target: targetOf(random, marker, aim), version: 'HTTP/1.1', lines, body: '' }
  const framing = random.below(method === 'GET' || method === 'HEAD' ? 8 : 4)
  const text = bodyText(random, marker, aim)
  if (framing < 2) {
    lines.splice(random.below(lines.length + 1), 0, `Content-Length: ${text.length}`)
    draft.body = text
  } else if (framing === 2) {
    const coding = random.pick(['chunked', 'chunked', 'Chunked', 'CHUNKED'])
    lines.splice(random.below(lines.length + 1), 0, `Transfer-Encoding: ${coding}`)
    draft.body = chunked(random, text)
  }
  return draft
}
