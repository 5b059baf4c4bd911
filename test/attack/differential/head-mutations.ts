/**
 * What makes the head of a request doubtful: its method, its target, its host, and what it says about the connection.
 */
import type { Aim, Draft } from './grammar.ts'
import type { Random } from './random.ts'

export type Change = (draft: Draft, random: Random, aim: Aim, marker: string) => void

export const at = (random: Random, { lines }: Draft): number => random.below(Math.max(lines.length, 1))
export const edit = (draft: Draft, random: Random, how: (line: string) => string): void => {
  const index = at(random, draft)
  draft.lines[index] = how(draft.lines[index] ?? '')
}
export const add = (draft: Draft, random: Random, line: string): void =>
  void draft.lines.splice(random.below(draft.lines.length + 1), 0, line)
export const without = (draft: Draft, name: RegExp): void => {
  draft.lines = draft.lines.filter(line => !name.test(line))
}

const words = (text: string): string[] => text.split(' ')

const oddVersions = [
  ...words('HTTP/1.0 HTTP/1.2 HTTP/2.0 http/1.1 HTTP/01.1 ICE/1.0 RTSP/1.0 HTTP/1.10 HTTP/1,1 HTTP/0.9'),
  ...['HTTP/1.1 ', 'HTTP/1.1\t', '', 'HTTP/1.1 x', 'HTTP /1.1'],
]
const oddMethods = [
  ...words('get SOURCE PRI CONNECT TRACE M-SEARCH LOCK MERGE GETGET QUERY G(T'),
  ...['GE T', 'GET\t', 'G\0T', '', ' GET', '\r\nGET', '\nGET', 'X'.repeat(40), 'DELETE /x HTTP/1.1\r\nA:'],
]
const oddTails = [
  ...words(
    '/../x /./x //x /%2e%2e/x /%2fx /%5cx \\x /%00 /% /%zz /%252e #x /\xe4 /%c0%ae /x. /;/x /%0d%0aX:y "<>^`{|}',
  ),
  ...[' /x', '/a b', '\t', '\0', '\x7f', '\r', '\n'],
]
const oddConnections = [
  ...words('close Content-Length Transfer-Encoding Host Upgrade x-request-id HTTP2-Settings'),
  ...['close, keep-alive', 'upgrade, close', '', '\0', 'keep-alive\x0bclose'],
]
const oddHosts = (host: string): string[] => [
  ...words(`${host} evil.example ${host},${host} ${host}/x? me@${host} [::1 \xe4`),
  ...['', 'a b', `${host}\0`],
]
const oddTargets = (host: string, path: string): string[] => [
  ...words(`* ${host} http://evil.example${path} //evil.example${path} ?${path} https://${host} https://me@${host}/`),
  ...words(
    `http://${host}:80${path} ftp://a${path} evil.example:443 ${host}\\x https:/${host}${path} ${path.slice(1)}`,
  ),
  '',
]

/** Request line, host, and what is said about the connection. */
export const headChanges: readonly Change[] = [
  (draft, random, { host }) => {
    if (random.oneIn(2)) without(draft, /^host/i)
    add(draft, random, `${random.pick(['Host', 'HOST', 'host', 'Host '])}: ${random.pick(oddHosts(host))}`)
  },
  (draft, random) => {
    draft.version = random.pick(oddVersions)
  },
  (draft, random) => {
    draft.method = random.pick(oddMethods)
  },
  (draft, random, { host }, marker) => {
    draft.target = random.pick(oddTargets(host, `/fuzz/${marker}`))
  },
  (draft, random) => {
    draft.target += random.pick(oddTails)
  },
  (draft, random) => add(draft, random, `Connection: ${random.pick(oddConnections)}`),
  (draft, random) => add(draft, random, `Upgrade: ${random.pick(['websocket', 'h2c', 'foo', 'WebSocket, h2c'])}`),
  (draft, random) =>
    add(draft, random, `Expect: ${random.pick(['100-continue', '100-Continue', 'x', '', '100-continue, x'])}`),
  draft => void draft.lines.push('Connection: Upgrade', 'Upgrade: websocket'),
  (draft, random) => add(draft, random, `X_Request-Id: ${random.below(9)}`),
]
