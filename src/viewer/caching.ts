/**
 * How long browsers may keep a file of the viewer.
 *
 * A name with a hash in it never changes its content; the page that names those files is never kept, so that a new
 * viewer is seen at the next load; scripts with a fixed name are asked for again each time.
 * Source: RFC 9111 5.2, RFC 8246 (immutable), RFC 9110 8.8.3 and 13.1.2.
 */
import { type HeaderList, headerValues } from '../listener/exchange.ts'

/** Eight or more hex digits between separators: app.bundle.0f6159c501addfe9.js, 0ddf166f7a343eda.wasm */
const hashed = /(^|[.\-_])[0-9a-f]{8,}[.\-_]/

/** Fixed names whose content decides what the viewer does. */
const alwaysAsked = new Set(['app-config.js', 'sw.js', 'init-service-worker.js', 'google.js'])

/** @param name  the last segment of the path */
export function cacheControl(name: string): string {
  if (name.endsWith('.html')) return 'no-store'
  if (alwaysAsked.has(name)) return 'no-cache'
  return hashed.test(name) ? 'public, max-age=31536000, immutable' : 'max-age=300, must-revalidate'
}

/** True when the client already holds what `etag` names. Weak comparison, as If-None-Match wants. */
export function isHeld(headers: HeaderList, etag: string): boolean {
  const tags = headerValues(headers, 'if-none-match')
    .join(',')
    .split(',')
    .map(tag => tag.trim().replace(/^W\//, ''))
  return tags.includes('*') || tags.includes(etag)
}
