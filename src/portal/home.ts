/**
 * The home page: the doors that this person may open, and what the gateway knows of the person.
 *
 * Administrators also see how the servers behind the gateway are. It tells nothing of other people.
 */
import type { UpstreamKind } from '../config/upstream.ts'
import type { Principal } from '../identity/principal.ts'
import type { Session } from '../identity/session-store.ts'
import type { Health } from '../upstream/health.ts'
import type { Door } from './doors.ts'
import type { FormTicket } from './form-guard.ts'
import { type Html, html } from './markup.ts'
import type { Page } from './page.ts'
import { groupsText, proofText, spanText, timeText, whoText } from './wording.ts'

export interface UpstreamState extends Health {
  readonly name: string
  readonly kind: UpstreamKind
}

export interface HomeFacts {
  readonly principal: Principal
  /** Undefined when a certificate or Basic is the proof: then nothing ends but the connection. */
  readonly session: Session | undefined
  readonly doors: readonly Door[]
  /** Undefined: not for this person. */
  readonly upstreams: readonly UpstreamState[] | undefined
  readonly ticket: FormTicket
  readonly now: number
}

export function homePage({ principal, session, doors, upstreams, ticket, now }: HomeFacts): Page {
  const pages = doors.filter(door => door.kind === 'page')
  const addresses = doors.filter(door => door.kind === 'address')
  const body = html`
<h1>Welcome, ${principal.name}</h1>
${pages.length > 0 && html`<ul class="doors">${pages.map(pageDoor)}</ul>`}
${doors.length === 0 && html`<p>No door is open to you yet. Ask the people who look after this gateway for a group.</p>`}
${addresses.length > 0 && html`<h2>Addresses for programs</h2><ul class="plain">${addresses.map(addressDoor)}</ul>`}
${upstreams !== undefined && upstreams.length > 0 && serverTable(upstreams, now)}
<h2>You</h2>
<dl>
<dt>Name</dt><dd>${whoText(principal)}</dd>
<dt>Proof</dt><dd>${proofText(principal)}</dd>
<dt>Groups</dt><dd>${groupsText(principal)}</dd>
${session !== undefined && html`<dt>Session</dt><dd>ends in ${spanText(session.endsAt - now)} (${timeText(session.endsAt)}) if it is not used</dd>`}
</dl>
<form method="post" action="/-/logout">
<input type="hidden" name="token" value="${ticket.token}">
<button class="second" type="submit">Sign out</button>
</form>`
  return { title: 'Home', body, wide: true }
}

const pageDoor = ({ title, href, description }: Door): Html =>
  html`<li><a href="${href}"><strong>${title}</strong>${description}</a></li>\n`

const addressDoor = ({ title, href }: Door): Html => html`<li>${title}: <code>${href}</code></li>\n`

const states: Record<Health['state'], string> = { up: 'answers', down: 'does not answer', unknown: 'not asked yet' }

const serverTable = (upstreams: readonly UpstreamState[], now: number): Html => html`
<h2>Servers</h2>
<table>
<thead><tr><th scope="col">Server</th><th scope="col" class="kind">Kind</th><th scope="col">State</th><th scope="col">For</th></tr></thead>
<tbody>
${upstreams.map(
  ({ name, kind, state, since }) =>
    html`<tr><td>${name}</td><td class="kind">${kind}</td><td class="${state}">${states[state]}</td><td>${spanText(now - since)}</td></tr>\n`,
)}</tbody>
</table>`
