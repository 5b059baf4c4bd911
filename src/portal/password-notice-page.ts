/**
 * After signing in: what a person should know of their password although it was right, before they go on.
 *
 * Source: draft-behera-ldap-password-policy-10 6.2 (timeBeforeExpiration, graceAuthNsRemaining).
 */
import type { PasswordNotice } from '../ldap/person.ts'
import { html } from './markup.ts'
import { notice, type Page } from './page.ts'
import { spanText } from './wording.ts'

/** @param next  a path of ours, already judged */
export const passwordNoticePage = (told: PasswordNotice, next: string): Page => ({
  title: 'Your password',
  body: html`
<h1>You are signed in</h1>
${notice('status', noticeText(told))}
<p>Set a new one where your organisation lets you, for instance at your workstation.</p>
<p><a class="button full" href="${next}">Continue</a></p>`,
})

function noticeText({ expiresIn, graceLeft }: PasswordNotice): string {
  if (graceLeft !== undefined) {
    const left = graceLeft === 1 ? 'once more' : `${graceLeft} more times`
    return graceLeft > 0
      ? `Your password has expired. You can sign in with it ${left}.`
      : 'Your password has expired, and this was the last time that you could sign in with it.'
  }
  return expiresIn === undefined
    ? 'Your password will expire soon.'
    : `Your password will expire in ${spanText(expiresIn * 1_000)}.`
}
