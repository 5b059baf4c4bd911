/**
 * Requests written byte by byte, and what came of them: on the line, and at the upstream.
 *
 * Not to forget: "nothing arrived" proves something only if the gateway has had its chance, so every look at the
 * upstream comes after an answer, or after `stillAnswers`.
 */
import type { Test } from 'tap'
import type { TestGateway } from '../fixture/gateway.ts'
import { type RawAnswer, type RawTls, type RawTlsOptions, rawTls } from '../fixture/raw-tls.ts'
import type { Received } from '../fixture/received.ts'

/** A path that every gateway here forwards to nobody: its own style of 404, or a page. */
const ownPage = '/-/login'

export const openRaw = (gateway: TestGateway, options: RawTlsOptions = {}): Promise<RawTls> =>
  rawTls(gateway.port, { ca: gateway.authority.caPem, ...options })

/** A head: request line and header lines; Host is added if no line names one. */
export function head(gateway: TestGateway, requestLine: string, lines: readonly string[] = []): string {
  const host = lines.some(line => /^host:/i.test(line)) ? [] : [`Host: localhost:${gateway.port}`]
  return `${[requestLine, ...host, ...lines].join('\r\n')}\r\n\r\n`
}

export const basic = (pair: string): string => `Authorization: Basic ${Buffer.from(pair).toString('base64')}`

/** 16 bytes, as RFC 6455 wants them. */
export const webSocketKey = 'dGhlIHNhbXBsZSBub25jZQ=='

export const webSocketLines = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${webSocketKey}`,
] as const

/** Sends bytes on a connection of their own and reads until the end, `until`, or the clock. */
export async function talk(
  gateway: TestGateway,
  bytes: string | Buffer,
  { until, timeout = 5_000, ...options }: RawTlsOptions & { until?: string | RegExp; timeout?: number } = {},
): Promise<RawAnswer> {
  using line = await openRaw(gateway, options)
  await line.write(bytes)
  return await line.read({ timeout, ...(until === undefined ? {} : { until }) })
}

/** Of every answer on the line, in order. */
export const statuses = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))

/** After whatever was done to it, the gateway answers the next client. */
export async function stillAnswers(t: Test, gateway: TestGateway): Promise<void> {
  const { status } = await gateway.ask(ownPage)
  t.equal(status, 200, 'the gateway still answers')
}

/** One spelling for all that some server takes for the same name: CGI and WSGI fold more than the dash. */
export const folded = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '-')

/** All values that came under a name, in whatever spelling. */
export const valuesOf = ({ rawHeaders }: Pick<Received, 'rawHeaders'>, name: string): string[] =>
  rawHeaders.filter(([field]) => folded(field) === folded(name)).map(([, value]) => value)
