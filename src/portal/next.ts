/**
 * Where to go after signing in: a path of this origin, whatever came in `next`.
 *
 * Not to forget: browsers drop tabs and line ends, take a backslash for a slash, and resolve dots, before they look at
 * what is left: the path is judged after the same has been done to it. In doubt the home page.
 * Source: WHATWG URL 4.4; CWE-601.
 */

export const homePath = '/-/home'

/** Anything: the sentinel only has to be an origin that nothing else has. */
const sentinel = 'https://next.invalid'
const longest = 2048

export function localPath(next: string | undefined): string {
  if (next === undefined || next.length > longest) return homePath
  if (!next.startsWith('/') || /^\/[/\\]|[\\\x00-\x20\x7f]/.test(next) || !URL.canParse(next, sentinel)) return homePath
  const url = new URL(next, sentinel)
  // "/.//evil.example" has lost its dot by now, and would be read as another host.
  if (url.origin !== sentinel || url.username !== '' || /^\/(\/|%2f|%5c)/i.test(url.pathname)) return homePath
  // To be sent back to signing in, or out, after signing in would go round in circles.
  if (/^\/-\/(login|logout)(\/|$)/.test(url.pathname)) return homePath
  return url.pathname + url.search + url.hash
}

export const loginPath = (next: string): string => `/-/login?next=${encodeURIComponent(localPath(next))}`
