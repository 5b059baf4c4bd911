/**
 * Signing out: the session ends on the server, whatever becomes of the cookie.
 *
 * A mark stays in the browser so that a certificate does not sign its holder in again without being asked.
 * Not to forget: the session is closed before anything else can fail.
 */
import { whoOf } from '../audit/noteworthy.ts'
import { clearCookie, sessionCookie, setLoggedOutMark } from '../identity/cookies.ts'
import { readForm } from './form-body.ts'
import { formCookie } from './form-guard.ts'
import { html } from './markup.ts'
import { redirect, sendPage } from './page.ts'
import type { PortalParts, Visit } from './parts.ts'
import { plainRefusal } from './plain-refusal.ts'
import { whoText } from './wording.ts'

export function showLogout({ exchange, identity }: Visit, { guard }: PortalParts, problem?: string): void {
  if (identity.answer.kind !== 'proven') {
    redirect(exchange, '/-/login')
    return
  }
  const ticket = guard.issue(exchange.request.headers)
  const body = html`
<h1>Sign out?</h1>
${problem !== undefined && html`<p class="notice alert" role="alert">${problem}</p>`}
<p>You are signed in as <strong>${whoText(identity.answer.principal)}</strong>. Signing out ends the session in every tab of this browser.</p>
<div class="choices">
<form method="post" action="/-/logout">
<input type="hidden" name="token" value="${ticket.token}">
<button type="submit">Sign out</button>
</form>
<a class="button second" href="/-/home">Stay signed in</a>
</div>`
  sendPage(exchange, problem === undefined ? 200 : 403, { title: 'Sign out', body }, [], ticket.cookies)
}

export async function takeLogout(visit: Visit, parts: PortalParts): Promise<void> {
  const { exchange, identity, client } = visit
  const form = await readForm(exchange)
  if (form === 'too-large') return plainRefusal(exchange, 413, 'The form is too large')
  if (form === 'no-form') return plainRefusal(exchange, 415, 'This is not the sign-out form')
  const origin = parts.guard.check(exchange, form.field('token'))
  if (origin === 'foreign') return plainRefusal(exchange, 403, 'This came from another web site')
  if (origin === 'stale') return showLogout(visit, parts, 'This page was open for too long. Please try again.')

  if (identity.session !== undefined) await parts.sessions.close(identity.session.id)
  if (identity.answer.kind === 'proven') {
    await parts.audit(exchange.id, { kind: 'logout', who: whoOf(identity.answer.principal), address: client })
  }
  // The next form gets an id of its own: nothing of this visit goes on.
  const cookies = [clearCookie(sessionCookie), clearCookie(formCookie), setLoggedOutMark()]
  redirect(exchange, '/-/login?signed-out', cookies)
}
