/**
 * An upstream under test, opened on a fixture, and what a test asks of it.
 */
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import type { HttpUpstreamSection } from '../../src/config/upstream.ts'
import { Fault } from '../../src/kernel/fault.ts'
import type { PeerTrust } from '../../src/tls/peer-trust.ts'
import { openUpstream, type Upstream, type UpstreamRequest } from '../../src/upstream/upstream.ts'
import { configOf } from '../config/written.ts'
import type { Received } from '../fixture/received.ts'
import { json } from '../fixture/upstream-answers.ts'

export function open(t: Test, url: string, more = '', trust?: PeerTrust, now = () => 0): Upstream {
  const section = configOf(`upstreams: { one: { kind: generic, url: "${url}"${more} } }`).upstreams['one']
  // The text above says generic, so it is one for HTTP.
  const upstream = openUpstream('one', section as HttpUpstreamSection, trust, now)
  t.teardown(() => upstream[Symbol.asyncDispose]())
  return upstream
}

/** A GET that nobody leaves, unless told otherwise. */
export const asking = (more: Partial<UpstreamRequest> = {}): UpstreamRequest => ({
  method: 'GET',
  target: '/',
  headers: [['host', 'pacs.example.org']],
  body: undefined,
  client: 'somebody',
  signal: new AbortController().signal,
  ...more,
})

export async function textOf(body: Readable | Buffer): Promise<string> {
  if (Buffer.isBuffer(body)) return body.toString()
  let text = ''
  for await (const chunk of body) text += chunk
  return text
}

/** Code of the fault that a promise ends in. */
export const faultOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    error => (error instanceof Fault ? error.code : `no fault: ${error}`),
  )

export const eventually = async (what: () => boolean | Promise<boolean>) => {
  for (let tries = 0; tries < 100 && !(await what()); tries++) await pause(20)
  return await what()
}

interface Opened {
  readonly upstream: Upstream
  readonly said: readonly string[]
}

export function openSeveral(t: Test, urls: readonly string[], more = '', kind = 'generic', trust?: PeerTrust): Opened {
  const section = configOf(`upstreams: { one: { kind: ${kind}, url: ${JSON.stringify(urls)}${more} } }`).upstreams[
    'one'
  ]
  const said: string[] = []
  // No viewer is among the kinds above.
  const upstream = openUpstream('one', section as HttpUpstreamSection, trust, Date.now, text => said.push(text))
  t.teardown(() => upstream[Symbol.asyncDispose]())
  return { upstream, said }
}

/** Who answered. */
export const say = (text: string) => () => json({ from: text })
export const from = async (upstream: Upstream, more = {}) =>
  (JSON.parse(await textOf((await upstream.send(asking(more))).body)) as { from: string }).from // what `say` answers
/** Asked by a test, and not by the upstream itself, which asks whether a server answers. */
export const isAsked = (request: Received): boolean => request.header('host') === 'pacs.example.org'
