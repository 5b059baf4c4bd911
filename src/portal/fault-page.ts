/**
 * What a person or a program is told when something broke: what, where it is called by its name, and when to try again.
 *
 * Not to forget: the cause, the address and the credentials of a server are for the log; nothing here reads them.
 */
import type { UpstreamKind } from '../config/upstream.ts'
import type { Fault, FaultCode } from '../kernel/fault.ts'
import { html } from './markup.ts'
import { notice, type Page, requestNumber } from './page.ts'
import type { Problem } from './problem.ts'

export interface NamedUpstream {
  readonly name: string
  readonly kind: UpstreamKind | undefined
}

export interface FaultText {
  readonly problem: Problem
  /** Seconds; for Retry-After. Absent: trying again by itself would not help. */
  readonly retryAfter?: number
  /** The server is being looked after, as far as we can tell. */
  readonly maintenance: boolean
}

const titles: Record<FaultCode, string> = {
  'upstream-unreachable': 'The server does not answer',
  'upstream-untrusted': 'The server did not prove who it is',
  'upstream-broken': 'The server gave a broken answer',
  'upstream-busy': 'The server is busy',
  'upstream-timeout': 'The server took too long',
  'viewer-missing': 'The viewer is not installed',
  'directory-unavailable': 'Signing in is not possible right now',
  'directory-misconfigured': 'Signing in is not possible',
  'state-unavailable': 'The gateway has a problem',
  'audit-unavailable': 'The gateway has a problem',
  overloaded: 'The gateway is busy',
  stopping: 'The gateway is being restarted',
  bug: 'Something went wrong here',
}

const soon: ReadonlySet<FaultCode> = new Set(['upstream-busy', 'overloaded', 'stopping'])

export function faultText({ code, status, publicText }: Fault, upstream: NamedUpstream | undefined): FaultText {
  const maintenance = upstream?.kind === 'omero-web' && status === 502 && code === 'upstream-unreachable'
  const more = upstream === undefined ? {} : { more: { upstream: upstream.name } }
  const problem: Problem = maintenance
    ? {
        reason: code,
        title: 'OMERO.web is not available at the moment',
        detail: 'It does not answer. Most likely it is being restarted or maintained.',
        ...more,
      }
    : { reason: code, title: titles[code], detail: publicText, ...more }
  if (maintenance) return { problem, maintenance, retryAfter: 30 }
  return status === 503 ? { problem, maintenance, retryAfter: soon.has(code) ? 5 : 30 } : { problem, maintenance }
}

export interface FaultFacts {
  readonly exchange: { readonly id: string; readonly request: { readonly method: string; readonly target: string } }
  readonly code: FaultCode
  readonly text: FaultText
}

export function faultPage({ exchange, code, text }: FaultFacts): Page {
  const { problem, maintenance, retryAfter } = text
  const { method, target } = exchange.request
  const again = method === 'GET' || method === 'HEAD'
  const own = /^\/-(\/|$)/.test(target)
  const refreshes = again && maintenance && retryAfter !== undefined
  const body = html`
<h1>${problem.title}</h1>
${notice('alert', problem.detail)}
${problem.more !== undefined && html`<dl><dt>Server</dt><dd>${problem.more['upstream']}</dd></dl>`}
${code === 'directory-unavailable' && html`<p>Local accounts of this gateway can still sign in. Who is signed in already stays signed in.</p>`}
${code === 'viewer-missing' && html`<p>Whoever looks after this gateway can install it with <code>sallyport viewer install</code>.</p>`}
${refreshes && html`<p>This page tries again by itself every ${retryAfter} seconds.</p>`}
${!refreshes && code !== 'bug' && html`<p>Wait a moment, then try again. If it lasts, tell the people who look after this gateway, and give them the number below.</p>`}
${code === 'bug' && html`<p>It has been recorded. Tell the people who look after this gateway, and give them the number below.</p>`}
<div class="choices">
${again && html`<a class="button" href="${target}">Try again</a>`}
${!again && own && html`<a class="button" href="/-/login">Back to signing in</a>`}
<a class="button second" href="/-/home">Go to the home page</a>
</div>
${requestNumber(exchange)}`
  return { title: problem.title, body, ...(refreshes && { refreshAfter: retryAfter }) }
}
