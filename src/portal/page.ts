/**
 * The frame around every page of ours, and the headers that go with it.
 *
 * The pages need no script, so none may run; nothing on them is kept by a cache or framed by another site.
 * Not to forget: Referrer-Policy is same-origin, not no-referrer, because with the latter browsers send `Origin: null`
 * with our own forms, and the check of where a form comes from would refuse them.
 *
 * Source: CSP Level 3; Fetch 3.1 (Origin header); WCAG 2.2 AA.
 */
import type { Exchange, HeaderList } from '../listener/exchange.ts'
import { Html, html, type Piece } from './markup.ts'
import { everyAnswer } from './problem.ts'
import { stylesheetHash, stylesheetHref, stylesheetText } from './stylesheet.ts'

export interface Page {
  readonly title: string
  readonly body: Html
  /** Seconds until the browser asks again by itself; absent: never. */
  readonly refreshAfter?: number
  /** For lists: more room than a form needs. */
  readonly wide?: boolean
  /** The style sheet is in the page: for clients to whom we refuse everything else, the style sheet too. */
  readonly standsAlone?: boolean
}

const policy = (styles: string): string =>
  [
    "default-src 'none'",
    `style-src ${styles}`,
    "img-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ')

/** @param cookies  whole values of Set-Cookie */
export function sendPage(
  exchange: Exchange,
  status: number,
  page: Page,
  headers: HeaderList = [],
  cookies: readonly string[] = [],
): void {
  exchange.reply.send(
    status,
    [
      ...everyAnswer,
      ['content-type', 'text/html; charset=utf-8'],
      ['content-security-policy', policy(page.standsAlone ? stylesheetHash : "'self'")],
      ['cache-control', 'no-store'],
      ['referrer-policy', 'same-origin'],
      ['cross-origin-opener-policy', 'same-origin'],
      ...headers,
      ...cookies.map(cookie => ['set-cookie', cookie] as const),
    ],
    frame(page).text,
  )
}

/** @param location  a path of ours, or one that `localPath` has let through */
export function redirect(exchange: Exchange, location: string, cookies: readonly string[] = []): void {
  const headers: HeaderList = [
    ...everyAnswer,
    ['location', location],
    ['cache-control', 'no-store'],
    ['referrer-policy', 'same-origin'],
    ...cookies.map(cookie => ['set-cookie', cookie] as const),
  ]
  exchange.reply.send(303, headers, '')
}

const frame = ({ title, body, refreshAfter, wide = false, standsAlone = false }: Page): Html => html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
${refreshAfter !== undefined && html`<meta http-equiv="refresh" content="${refreshAfter}">`}
<title>${title} · sallyport</title>
${standsAlone ? html`<style>${new Html(stylesheetText)}</style>` : links}
</head>
<body>
<header class="brand">${gate}<span>sallyport</span></header>
<main class="${wide ? 'card wide' : 'card'}">
${body}
</main>
</body>
</html>
`

const links = html`<link rel="stylesheet" href="${stylesheetHref}">
<link rel="icon" href="/-/icon.svg">`

/** Two doors, one behind the other. */
const gate = html`<svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true"><path d="M4 29V15a12 12 0 0 1 24 0v14" fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round"/><path d="M11 29V16a5 5 0 0 1 10 0v13" fill="currentColor"/></svg>`

/** The same drawing as a file; its colour has to be one that shows on light and dark tabs. */
export const iconText = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" color="#2b7fb8">${gate.text.replace(/^<svg[^>]*>/, '')}`

/** What a person should see first: what went wrong (alert), or what just happened (status). */
export const notice = (kind: 'alert' | 'status', text: Piece): Html =>
  html`<p class="notice ${kind}" role="${kind}">${text}</p>`

/** For the person on the phone with whoever looks after the gateway. */
export const requestNumber = ({ id }: Pick<Exchange, 'id'>): Html =>
  html`<p class="quiet">Request <code>${id}</code></p>`
