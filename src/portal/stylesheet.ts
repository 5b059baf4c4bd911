/**
 * portal.css: read once, served under a name that changes with its content, so that browsers may keep it for good.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Exchange, type HeaderList, headerValues } from '../listener/exchange.ts'
import { everyAnswer } from './problem.ts'

// It lies beside this file in src/portal, and after the build in dist/portal.
export const stylesheetText = readFileSync(new URL('portal.css', import.meta.url), 'utf8')
const version = createHash('sha256').update(stylesheetText).digest('hex').slice(0, 12)

/** For a page that holds the style sheet itself: the text of its style element, and nothing else. */
export const stylesheetHash = `'sha256-${createHash('sha256').update(stylesheetText).digest('base64')}'`

export const stylesheetPath = '/-/portal.css'
export const stylesheetHref = `${stylesheetPath}?v=${version}`

export function sendStylesheet(exchange: Exchange): void {
  const etag = `"${version}"`
  const headers: HeaderList = [
    ...everyAnswer,
    ['content-type', 'text/css; charset=utf-8'],
    ['etag', etag],
    // Asked without its version it may be another one tomorrow.
    ['cache-control', exchange.request.target === stylesheetHref ? 'public, max-age=31536000, immutable' : 'no-cache'],
  ]
  const held = headerValues(exchange.request.headers, 'if-none-match').includes(etag)
  exchange.reply.send(held ? 304 : 200, headers, held ? '' : stylesheetText)
}
