/**
 * Signing in: GET shows the form, POST judges it.
 *
 *   form? -> ours? -> certificate or password -> record -> new session, old one closed -> 303 to a local path,
 *                                                                      or a page where there is something to know first
 *
 * Not to forget: the session id is always a new one, so an id that somebody planted before is worth nothing; the
 * password is handed on and kept nowhere. A directory that is broken is a Fault and passes through.
 *
 * Source: OWASP session management (fixation); RFC 9110 15.4.4 (303).
 */
import { whoOf } from '../audit/noteworthy.ts'
import { type Refused, refusalReasons, refused } from '../identity/answer.ts'
import type { Identity } from '../identity/authenticator.ts'
import { clearCookie, loggedOutCookie, sessionCookie, setCookie } from '../identity/cookies.ts'
import type { ProvenPassword } from '../identity/password-realms.ts'
import type { Principal } from '../identity/principal.ts'
import { isUnchanged, standingThen } from '../identity/standing.ts'
import type { Exchange, HeaderList } from '../listener/exchange.ts'
import { type Form, readForm } from './form-body.ts'
import { loginPage } from './login-page.ts'
import { localPath } from './next.ts'
import { redirect, sendPage } from './page.ts'
import type { PortalParts, Visit } from './parts.ts'
import { passwordNoticePage } from './password-notice-page.ts'
import { plainRefusal } from './plain-refusal.ts'
import { spanText } from './wording.ts'

export function showLogin({ exchange, query, identity }: Visit, { guard }: PortalParts): void {
  const asked = new URLSearchParams(query)
  const ticket = guard.issue(exchange.request.headers)
  const page = loginPage({
    next: localPath(asked.get('next') ?? undefined),
    ticket,
    ...(asked.has('signed-out') && currentOf(identity) === undefined && { note: 'You are signed out.' }),
    ...(identity.unresolved !== undefined && { note: unresolvedNote }),
    certificateAnswer: identity.certificateAnswer,
    current: currentOf(identity),
  })
  sendPage(exchange, 200, page, [], ticket.cookies)
}

const unresolvedNote =
  'Whose certificate yours is cannot be looked up at the moment. You can sign in with your name and password instead.'

const currentOf = ({ answer }: Identity): Principal | undefined =>
  answer.kind === 'proven' ? answer.principal : undefined

export async function takeLogin(visit: Visit, parts: PortalParts): Promise<void> {
  const { exchange, identity, client } = visit
  const form = await readForm(exchange)
  if (form === 'too-large') return plainRefusal(exchange, 413, 'The form is too large')
  if (form === 'no-form') return plainRefusal(exchange, 415, 'This is not the sign-in form')

  const origin = parts.guard.check(exchange, form.field('token'))
  if (origin === 'foreign') return plainRefusal(exchange, 403, 'This came from another web site')
  if (origin === 'stale') {
    const problem = 'This page was open for too long, or cookies are turned off. Please try again.'
    return formAgain(visit, parts, form, { status: 403, problem })
  }

  if (form.field('action') === 'certificate') {
    const { certificateAnswer, unresolved } = identity
    if (unresolved !== undefined) throw unresolved
    if (certificateAnswer.kind === 'proven')
      return await enterByCertificate(visit, parts, form, certificateAnswer.principal)
    const why =
      certificateAnswer.kind === 'refused'
        ? refusalReasons[certificateAnswer.reason]
        : 'No certificate came with this connection.'
    return formAgain(visit, parts, form, { status: 401, problem: why })
  }

  const name = form.field('name').trim()
  const answer = await parts.passwords.verify(name, form.field('password'), client)
  const refusal = answer.kind === 'proven' ? await enterByPassword(visit, parts, form, answer) : answer
  if (refusal === undefined) return
  const { reason, detail } = refusal
  await parts.audit(exchange.id, {
    kind: 'login-refused',
    claimed: name.slice(0, 256),
    reason,
    detail,
    address: client,
  })
  formAgain(visit, parts, form, againFor(refusal))
}

/** The status and the sentence; who is unknown, wrong or locked cannot be told apart. */
function againFor({ reason, retryAfter = 60 }: Pick<Refused, 'reason' | 'retryAfter'>): Again {
  const problem = refusalReasons[reason]
  if (reason !== 'throttled') return { status: 401, problem }
  const seconds = Math.max(1, Math.ceil(retryAfter))
  // Rounded up: whoever comes back a minute early would be turned away again.
  const wait = `It will be possible again in ${spanText(Math.ceil(seconds / 60) * 60_000)}.`
  return { status: 429, problem: `${problem} ${wait}`, headers: [['retry-after', String(seconds)]] }
}

interface Again {
  readonly status: 401 | 403 | 429
  readonly problem: string
  readonly headers?: HeaderList
}

function formAgain({ exchange, identity }: Visit, { guard }: PortalParts, form: Form, again: Again): void {
  const ticket = guard.issue(exchange.request.headers)
  const page = loginPage({
    next: localPath(form.field('next')),
    ticket,
    name: form.field('name').trim(),
    problem: again.problem,
    certificateAnswer: identity.certificateAnswer,
    current: currentOf(identity),
  })
  sendPage(exchange, again.status, page, again.headers, ticket.cookies)
}

/** @returns why nobody came in after all; undefined: they are in */
async function enterByPassword(
  { exchange, identity, client }: Visit,
  { sessions, standing, audit }: PortalParts,
  form: Form,
  { principal, notice }: ProvenPassword,
): Promise<Refused | undefined> {
  const { cookie, session } = await sessions.open(principal, 'password', client)
  // Looked at once the session is there: a command that changes the account later finds it, and ends it.
  if (!isUnchanged(standingThen(principal), standing(principal.name))) {
    await sessions.close(session.id)
    return refused('wrong-credentials', 'the account was changed while its person was signing in')
  }
  try {
    await audit(exchange.id, { kind: 'login', who: whoOf(principal), address: client })
  } catch (fault) {
    // Where nothing may happen unrecorded, nobody has signed in.
    await sessions.close(session.id)
    throw fault
  }
  if (identity.session !== undefined) await sessions.close(identity.session.id)
  const cookies = [setCookie(sessionCookie, cookie), ...marksOff(identity)]
  if (notice === undefined) enter(exchange, form, cookies)
  else sendPage(exchange, 200, passwordNoticePage(notice, localPath(form.field('next'))), [], cookies)
  return undefined
}

/** The certificate counts again, and so no session may outrank it. */
async function enterByCertificate(
  { exchange, identity, client }: Visit,
  { sessions, audit }: PortalParts,
  form: Form,
  principal: Principal,
): Promise<void> {
  await audit(exchange.id, { kind: 'login', who: whoOf(principal), address: client })
  if (identity.session !== undefined) await sessions.close(identity.session.id)
  const cookies = identity.session === undefined ? [] : [clearCookie(sessionCookie)]
  enter(exchange, form, [...cookies, ...marksOff(identity)])
}

const marksOff = ({ loggedOutMark }: Identity): string[] => (loggedOutMark ? [clearCookie(loggedOutCookie)] : [])

const enter = (exchange: Exchange, form: Form, cookies: readonly string[]): void =>
  redirect(exchange, localPath(form.field('next')), cookies)
