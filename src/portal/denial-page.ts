/**
 * What a person or a program is told when policy said no: what happened, and what to do now.
 *
 * Not to forget: groups that open a door may be named to who is signed in, people never; and a certificate is named only
 * to its own holder.
 */
import type { Access } from '../config/route.ts'
import { type RefusalReason, refusalReasons } from '../identity/answer.ts'
import type { Principal } from '../identity/principal.ts'
import type { Denial } from '../policy/decide.ts'
import { type Html, html } from './markup.ts'
import { loginPath } from './next.ts'
import { notice, type Page, requestNumber } from './page.ts'
import type { Problem } from './problem.ts'
import { either, groupsText, proofText, whoText } from './wording.ts'

export interface DenialText {
  readonly status: 400 | 401 | 403 | 429
  readonly problem: Problem
}

const isRefusal = (reason: string): reason is RefusalReason => Object.hasOwn(refusalReasons, reason)

const titles: Record<Exclude<Denial['reason'], RefusalReason>, readonly [title: string, detail: string]> = {
  'no-identity': ['Please sign in', 'This is open to people who have signed in.'],
  'not-a-member': [
    'This door is not open to you',
    'You are signed in, but you are in none of the groups that may come in here.',
  ],
  'not-permitted': [
    'You may look here, but not do this',
    'What you asked for changes something, and your rights here do not go that far.',
  ],
  dangerous: [
    'This is closed to protect the server',
    'It can run code, stop the server, reach other servers or export images, and your rights here do not include that.',
  ],
  'proof-needed': ['One more proof is needed here', 'You may come in here, but not with the way you signed in.'],
  'cross-site': [
    'This came from another web site',
    'The request was started by another web site, so it was not carried out.',
  ],
}

export function denialText(
  { reason, loginHelps }: Pick<Denial, 'reason' | 'loginHelps'>,
  access: Access | undefined,
): DenialText {
  if (isRefusal(reason)) {
    const detail = refusalReasons[reason]
    // Where a certificate is insisted on, signing in would change nothing: the request itself is wrong.
    if (!loginHelps && (reason.startsWith('certificate-') || reason === 'account-closed')) {
      const title = reason === 'certificate-missing' ? 'A certificate is needed' : 'Your certificate was not accepted'
      return { status: 400, problem: { reason, title, detail } }
    }
    const status = reason === 'throttled' ? 429 : 401
    return { status, problem: { reason, title: 'Signing in did not work', detail } }
  }
  const [title, detail] = titles[reason]
  const needs = access === undefined ? '' : needsText(reason, access)
  return { status: reason === 'no-identity' ? 401 : 403, problem: { reason, title, detail: `${detail}${needs}` } }
}

/** What the rules ask for, without the names of people. */
function needsText(reason: Denial['reason'], access: Access): string {
  if (!Array.isArray(access)) return ''
  if (reason === 'not-a-member') {
    const groups = [...new Set(access.flatMap(rule => rule.groups ?? []))]
    return groups.length === 0 ? ' It is open to certain people only.' : ` It is open to members of ${either(groups)}.`
  }
  if (reason !== 'proof-needed') return ''
  const proofs = new Set(access.flatMap(rule => rule.proof ?? []))
  const words = [...proofs].map(proof => (proof === 'certificate' ? 'a client certificate' : 'name and password'))
  return ` It asks for ${either([...new Set(words)])}.`
}

export interface DenialFacts {
  readonly exchange: { readonly id: string; readonly request: { readonly target: string } }
  readonly denial: Pick<Denial, 'reason' | 'principal' | 'refusal'>
  readonly text: DenialText
  /** Subject of the certificate that came on this connection; it is shown to its holder. */
  readonly certificateSubject: string | undefined
}

export function denialPage({ exchange, denial, text, certificateSubject }: DenialFacts): Page {
  const { title, detail } = text.problem
  const { principal, reason } = denial
  const body = html`
<h1>${title}</h1>
${notice('alert', detail)}
${text.status === 400 && certificateAdvice(reason, certificateSubject)}
${principal !== undefined && reason !== 'cross-site' && personFacts(principal)}
${text.status === 403 && reason !== 'cross-site' && advice(principal, reason, exchange.request.target)}
${reason === 'cross-site' && html`<p>If you wanted to do this, open the page here and do it again from there.</p><p><a class="button" href="/-/home">Go to the home page</a></p>`}
${requestNumber(exchange)}`
  return { title, body, standsAlone: text.status === 400 }
}

const personFacts = (principal: Principal): Html => html`
<dl>
<dt>You are</dt><dd>${whoText(principal)}</dd>
<dt>Proof</dt><dd>${proofText(principal)}</dd>
<dt>Your groups</dt><dd>${groupsText(principal)}</dd>
</dl>`

function advice(principal: Principal | undefined, reason: Denial['reason'], target: string): Html {
  const otherProof = reason === 'proof-needed'
  const hint =
    otherProof && principal?.proof.kind !== 'certificate'
      ? html`<p>Choose the button below, then continue with your certificate. If the page offers none, it is not installed in this browser.</p>`
      : html`<p>If it should be open to you, ask the people who look after this gateway, and give them the number below.</p>`
  const label = otherProof ? 'Sign in another way' : 'Sign in as somebody else'
  return html`${hint}
<div class="choices">
${principal !== undefined && html`<a class="button" href="${loginPath(target)}">${label}</a>`}
<a class="button second" href="/-/home">Go to the home page</a>
</div>`
}

/** By reason: what the holder can do about it. */
function certificateAdvice(reason: Denial['reason'], subject: string | undefined): Html {
  const cures: Partial<Record<Denial['reason'], string>> = {
    'certificate-expired':
      'Ask for a new certificate, install it, and close all windows of this browser before you try again.',
    'certificate-not-yet-valid': 'Set the clock of this computer right, then try again.',
    'certificate-missing':
      'Install your certificate in this browser, or choose it when the browser asks. If you pressed Cancel, close all windows of the browser first.',
  }
  const cure =
    cures[reason] ??
    'Close all windows of this browser, then choose another certificate, or ask the people who look after this gateway.'
  return html`
${subject !== undefined && html`<dl><dt>Certificate</dt><dd>${subject}</dd></dl>`}
<p>${cure}</p>`
}
