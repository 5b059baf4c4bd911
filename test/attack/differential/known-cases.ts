/**
 * The cases that are known by name, H01 to H17 of the threat catalogue, as seeds: chance goes on from here.
 *
 * H11 and H18 are what an upstream does, and H13 belongs to HTTP/2. Behind each case comes a request that must not be
 * read where the case itself could not be.
 */
import { webSocketLines } from '../raw-request.ts'
import { type Aim, smuggled } from './grammar.ts'
import { oddCodings, oddLengths } from './mutations.ts'

/** Stands where the first part is to be taken, or answered, before the rest is sent; no byte can be this. */
export const afterwards = '\u2192'

type Known = (aim: Aim, marker: string) => readonly string[]

const request = (line: string, { host }: Aim, lines: readonly string[] = [], body = ''): string =>
  `${[line, `Host: ${host}`, ...lines].join('\r\n')}\r\n\r\n${body}`

const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`
const coding = 'Transfer-Encoding: chunked'

const framing: Known = (aim, marker) => {
  const post = `POST /fuzz/${marker} HTTP/1.1`
  const rider = smuggled(marker, aim)
  const both = [`Content-Length: ${chunk('hello').length}`, coding]
  const names = ['Transfer-Encoding : chunked', ' Transfer-Encoding: chunked', 'Transfer_Encoding: chunked']
  const folded = [
    'Transfer-Encoding:\r\n chunked',
    'X: y\r\n Transfer-Encoding: chunked',
    'Transfer-Encoding: x\r\n ,chunked',
  ]
  return [
    // H01
    request(post, aim, both, chunk('hello')),
    request(post, aim, both.toReversed(), chunk('hello')),
    request(post, aim, ['Content-Length: 4', coding], `${chunk('hello')}${rider}`),
    // H02
    ...oddCodings.map(value => request(post, aim, [`Transfer-Encoding: ${value}`], chunk('hello'))),
    ...[...names, ...folded].map(line => request(post, aim, [line], chunk(rider))),
    request(post, aim, [coding, 'Transfer-Encoding: identity'], chunk(rider)),
    request(post, aim, ['Transfer-Encoding: x', coding], chunk(rider)),
    // H03
    ...oddLengths('5').map(value => request(post, aim, [`Content-Length: ${value}`], `hello${rider}`)),
    request(post, aim, ['Content-Length: 5', 'Content-Length: 5'], 'hello'),
    request(post, aim, ['Content-Length: 0', `Content-Length: ${rider.length}`], rider),
    request(post, aim, [' Content-Length: 5'], 'hello'),
    request(post, aim, ['Content_Length: 0', `Content-Length: ${rider.length}`], rider),
    // H04
    request(post, aim, ['Content-Length: 5', 'X: y'], 'hello').replaceAll('\r\n', '\n'),
    request(post, aim, ['X: y\nContent-Length: 5'], 'hello'),
    request(post, aim, ['X: y\rContent-Length: 5'], 'hello'),
    request(post, aim, ['X: y'], '').replaceAll('\r\n', '\r'),
    // H05
    ...['ffffffffffffffff5', '-5', '0x5', '5;a=\nb', `5;${'x'.repeat(20_000)}`, '5\n', ' 5', '5 '].map(size =>
      request(post, aim, [coding], `${size}\r\nhello\r\n0\r\n\r\n`),
    ),
    ...['X-Remote-User: admin', 'Authorization: Basic eDp5', 'no colon', 'Content-Length: 9'].map(trailer =>
      request(post, aim, [coding], `5\r\nhello\r\n0\r\n${trailer}\r\n\r\n`),
    ),
  ]
}

const riders: Known = (aim, marker) => {
  const rider = smuggled(marker, aim)
  const at = (method: string) => `${method} /fuzz/${marker} HTTP/1.1`
  return [
    // H06, H07
    ...['DELETE', 'OPTIONS', 'GET', 'HEAD', 'PATCH'].flatMap(method => [
      request(at(method), aim, [coding], chunk(rider)),
      request(at(method), aim, [`Content-Length: ${rider.length}`], rider),
      request(at(method), aim, [coding], chunk(`0\r\n\r\n${rider}`)),
    ]),
    request(at('POST'), aim, ['Expect: 100-continue', `Content-Length: ${rider.length}`], rider),
    request(at('POST'), aim, ['Expect: garbage', 'Content-Length: 5'], `hello${rider}`),
    request(at('GET'), aim, ['Connection: close'], rider),
    request(`POST /fuzz/${marker}/x. HTTP/1.1`, aim, ['Expect: 100-continue', 'Content-Length: 5'], 'hello'),
    // H08 to H10
    request(at('GET'), aim, [...webSocketLines, `Content-Length: ${rider.length}`], rider),
    request(at('GET'), aim, [...webSocketLines, coding], chunk(rider)),
    request(at('GET'), aim, webSocketLines, rider),
    request(at('GET'), aim, ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'], rider),
    request(at('POST'), aim, ['Connection: Upgrade', 'Upgrade: foo', `Content-Length: ${rider.length}`], rider),
    request(at('GET'), aim, [...webSocketLines.slice(0, 2), 'Sec-WebSocket-Version: 777'], rider),
    request(
      at('DELETE'),
      aim,
      webSocketLines,
      request(at('POST'), aim, [`Content-Length: ${rider.length}`], afterwards + rider),
    ),
    request(
      at('POST'),
      aim,
      ['Connection: Upgrade', 'Upgrade: h2c', 'Transfer-Encoding: chunked \t'],
      afterwards + chunk(rider),
    ),
    request(`GET /fuzz/${marker}?switch HTTP/1.1`, aim, webSocketLines, rider),
    // H12
    request(at('POST'), aim, [coding], '5\r\nhel'),
    request(at('POST'), aim, ['Content-Length: 500'], rider),
  ]
}

const targets: Known = (aim, marker) => {
  const { host } = aim
  const path = `/fuzz/${marker}`
  const lines = (line: string, ...hosts: string[]) =>
    `${[line, ...hosts.map(name => `Host: ${name}`)].join('\r\n')}\r\n\r\n`
  const odd = ['a,b', `${host}/abc?x=`, `me@${host}`, 'localhost:1', '[::1]', '\xe4', '', `${host} ${host}`]
  const forms = [
    '*',
    host,
    'http://evil.example/x',
    `https://${host}${path}`,
    `https://me@${host}${path}`,
    path.slice(1),
  ]
  return [
    // H14, H15
    ...forms.map(form => request(`GET ${form} HTTP/1.1`, aim)),
    ...['CONNECT', 'TRACE', 'OPTIONS'].flatMap(method =>
      [host, '*', path].map(form => request(`${method} ${form} HTTP/1.1`, aim)),
    ),
    lines(`GET ${path} HTTP/1.1`),
    lines(`GET ${path} HTTP/1.1`, host, host),
    lines(`GET ${path} HTTP/1.1`, host, 'evil.example'),
    ...odd.map(name => lines(`GET ${path} HTTP/1.1`, name)),
    // H16, H17
    request(`GET ${path}?__proto__=x&constructor=y HTTP/1.1`, aim, [
      '__proto__: x',
      'constructor: y',
      'Cookie: __proto__=z',
    ]),
    request(`GET ${path}%0d%0aX-Injected:%20y HTTP/1.1`, aim),
    request(`GET ${path}?a=%0d%0a%0d%0aGET%20/smuggled/${marker}%20HTTP/1.1 HTTP/1.1`, aim),
    request(`GET ${path} HTTP/1.1\r\nX: y HTTP/1.1`, aim),
    `GET ${path}\r\n\r\n`,
    `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${request(`GET ${path} HTTP/1.1`, aim)}`,
  ]
}

export const knownCases: Known = (aim, marker) => [framing, riders, targets].flatMap(some => some(aim, marker))
