/**
 * What a file is, by the end of its name: its Content-Type, and whether compressing it is worth the work.
 *
 * Not to forget: every answer says nosniff, so a script or a WebAssembly module under the wrong type does not run.
 * Source: RFC 9239 (text/javascript), WebAssembly Web API 3 (application/wasm), OHIF (.jsonc customizations).
 */

export interface MediaType {
  readonly contentType: string
  /** Text, or as sparse as text: brotli and gzip make it much smaller. */
  readonly compressible: boolean
}

const text = (contentType: string): MediaType => ({ contentType, compressible: true })
const binary = (contentType: string): MediaType => ({ contentType, compressible: false })

const byExtension: ReadonlyMap<string, MediaType> = new Map([
  ['html', text('text/html; charset=utf-8')],
  ['js', text('text/javascript; charset=utf-8')],
  ['mjs', text('text/javascript; charset=utf-8')],
  ['css', text('text/css; charset=utf-8')],
  ['json', text('application/json')],
  ['jsonc', text('application/json')],
  ['map', text('application/json')],
  ['webmanifest', text('application/manifest+json')],
  ['webapp', text('application/manifest+json')],
  ['svg', text('image/svg+xml')],
  ['xml', text('application/xml')],
  ['txt', text('text/plain; charset=utf-8')],
  ['md', text('text/plain; charset=utf-8')],
  ['wasm', text('application/wasm')],
  ['ico', text('image/x-icon')],
  ['ttf', text('font/ttf')],
  ['otf', text('font/otf')],
  ['woff', binary('font/woff')],
  ['woff2', binary('font/woff2')],
  ['png', binary('image/png')],
  ['jpg', binary('image/jpeg')],
  ['jpeg', binary('image/jpeg')],
  ['gif', binary('image/gif')],
  ['webp', binary('image/webp')],
  ['avif', binary('image/avif')],
  ['pdf', binary('application/pdf')],
  ['mp4', binary('video/mp4')],
  ['webm', binary('video/webm')],
  ['gz', binary('application/gzip')],
])

const unknown = binary('application/octet-stream')

/** The extension of the last segment in lower case; undefined when there is none ("viewer", "LICENSE", "a."). */
export function extensionOf(name: string): string | undefined {
  return /\.([A-Za-z0-9]+)$/.exec(name)?.[1]?.toLowerCase()
}

export const mediaTypeOf = (name: string): MediaType => byExtension.get(extensionOf(name) ?? '') ?? unknown
