/**
 * The headers that fence the viewer in: what its pages and workers may load, run and be embedded in.
 *
 * COOP and COEP make the page cross-origin isolated, which SharedArrayBuffer (volumes, 3D) needs. The policy lets the
 * viewer talk to this origin only: no script from elsewhere ever runs beside the images of patients.
 * Not to forget: a worker obeys the headers of its own script, so these stand on every answer, not on pages alone.
 *
 * Source: HTML (COOP, COEP), Fetch (CORP), CSP Level 3; what OHIF 3.13 needs was seen in Chromium.
 */
import { createHash } from 'node:crypto'
import type { Header } from '../listener/exchange.ts'

/** Scripts written into a page: it may run these very texts, and no other inline script. */
function inlineScriptHashes(html: string): string[] {
  const hashes: string[] = []
  for (const [, attributes = '', script = ''] of html.matchAll(/<script\b([^>]*)>([\s\S]*?)<\/script>/gi)) {
    if (/\bsrc\s*=/i.test(attributes) || script === '') continue
    hashes.push(`'sha256-${createHash('sha256').update(script.replaceAll('\r\n', '\n'), 'utf8').digest('base64')}'`)
  }
  return hashes
}

export interface Fence {
  /** Other places that the viewer may fetch from and show in frames, for settings that name servers elsewhere. */
  readonly reach: readonly string[]
  /** Whether pages of other sites may show the viewer in a frame. */
  readonly embeddable: boolean
  /** Whether browsers are told to use https only, on every port of this host, from now on. */
  readonly strictTransport: boolean
  /** The operator's own policy, in place of ours. */
  readonly policy: string | undefined
}

/** This origin only, in nobody's frame, over https for good. */
export const closedFence: Fence = { reach: [], embeddable: false, strictTransport: true, policy: undefined }

/** @param html  the page that is sent; absent for everything else */
function contentSecurityPolicy(html: string | undefined, { reach, embeddable }: Fence): string {
  const hashes = html === undefined ? [] : inlineScriptHashes(html)
  return [
    "default-src 'self'",
    // 'unsafe-eval': without it the JPEG-LS decoder fails (seen), and others are built the same way (emscripten's embind).
    ["script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval' blob:", ...hashes].join(' '),
    "worker-src 'self' blob:",
    "style-src 'self' 'unsafe-inline'",
    ["img-src 'self' blob: data:", ...reach].join(' '),
    ["media-src 'self' blob: data:", ...reach].join(' '),
    "font-src 'self' data:",
    ["connect-src 'self' blob: data:", ...reach].join(' '),
    // Encapsulated PDF is shown from a blob.
    "object-src 'self' blob:",
    // Sign-in is renewed in a frame of the server that does it.
    ["frame-src 'self' blob:", ...reach].join(' '),
    ...(embeddable ? [] : ["frame-ancestors 'self'"]),
    "form-action 'self'",
    "base-uri 'self'",
  ].join('; ')
}

export function securityHeaders(html: string | undefined, fence: Fence): readonly Header[] {
  return [
    ['content-security-policy', fence.policy ?? contentSecurityPolicy(html, fence)],
    ['cross-origin-opener-policy', 'same-origin'],
    ['cross-origin-embedder-policy', 'require-corp'],
    ['cross-origin-resource-policy', 'same-origin'],
    ['referrer-policy', 'same-origin'],
    ['x-content-type-options', 'nosniff'],
    ...(fence.strictTransport ? ([['strict-transport-security', 'max-age=63072000']] as const) : []),
  ]
}
