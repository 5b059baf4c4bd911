/**
 * The login page: the form, and above it what the person needs to know before filling it in.
 */
import { type Answer, refusalReasons } from '../identity/answer.ts'
import type { Principal } from '../identity/principal.ts'
import type { FormTicket } from './form-guard.ts'
import { type Html, html } from './markup.ts'
import { notice, type Page } from './page.ts'
import { whoText } from './wording.ts'

export interface LoginFacts {
  /** A path of ours, already judged. */
  readonly next: string
  readonly ticket: FormTicket
  /** Kept from the last try. Never the password. */
  readonly name?: string
  /** Why the last try failed. */
  readonly problem?: string
  /** What just happened. */
  readonly note?: string
  readonly certificateAnswer: Answer
  /** Who is signed in already, by whatever proof. */
  readonly current: Principal | undefined
}

export function loginPage(facts: LoginFacts): Page {
  const { next, ticket, name = '', problem, note, certificateAnswer, current } = facts
  const certificate = certificateAnswer.kind === 'proven' ? certificateAnswer.principal : undefined
  const offersCertificate = certificate !== undefined && current?.proof.kind !== 'certificate'
  const hidden = html`<input type="hidden" name="next" value="${next}"><input type="hidden" name="token" value="${ticket.token}">`
  const focusName = name === ''
  const body = html`
<h1>Sign in</h1>
${problem !== undefined && notice('alert', problem)}
${note !== undefined && notice('status', note)}
${certificateAnswer.kind === 'refused' && notice('alert', `${refusalReasons[certificateAnswer.reason]} You can sign in with your name and password instead.`)}
${current !== undefined && alreadyIn(current, next)}
${offersCertificate && certificateForm(certificate, hidden)}
<form method="post" action="/-/login">
${hidden}
<label class="field"><span>User name</span>
<input name="name" value="${name}" autocomplete="username" autocapitalize="none" autocorrect="off" spellcheck="false" maxlength="256" required${focusName && html` autofocus`}></label>
<label class="field"><span>Password</span>
<input name="password" type="password" autocomplete="current-password" maxlength="1024" required${!focusName && html` autofocus`}></label>
<button class="full" type="submit">Sign in</button>
</form>`
  return { title: 'Sign in', body }
}

const alreadyIn = (current: Principal, next: string): Html =>
  html`<p>You are signed in as <strong>${whoText(current)}</strong>. <a href="${next}">Continue</a>, or sign in as somebody else.</p>`

const certificateForm = ({ name }: Principal, hidden: Html): Html => html`
<form method="post" action="/-/login">
${hidden}
<input type="hidden" name="action" value="certificate">
<button class="full" type="submit">Continue as ${name}</button>
</form>
<p class="quiet">This is the name in the certificate of this browser.</p>
<div class="or">or with name and password</div>`
