/**
 * Serves the built OHIF viewer from a folder.
 *
 *   method -> path -> file, else the app's own page -> coding -> held already? -> whole, part or stream
 *
 * A path without an extension belongs to the app (/viewer?StudyInstanceUIDs=...), so it gets index.html; /plugins/
 * never does, because a plug-in that is missing must be seen to be missing. It judges nobody: policy did.
 * Not to forget: the viewer may be installed while the gateway runs, so the disk is asked at every request.
 *
 * Source: RFC 9110 (methods, conditional and range requests); OHIF deployment documents (caching profile).
 */
import { createHash } from 'node:crypto'
import type { ViewerSection } from '../config/upstream.ts'
import { Fault } from '../kernel/fault.ts'
import type { Exchange, HeaderList } from '../listener/exchange.ts'
import { appConfigFor } from './app-config.ts'
import { rangeOf } from './byte-range.ts'
import { cacheControl, isHeld } from './caching.ts'
import { type Coding, chooseCoding } from './content-coding.ts'
import { extensionOf, mediaTypeOf } from './media-type.ts'
import { createVariants, offeredCodings } from './packed-variants.ts'
import { closedFence, type Fence, securityHeaders } from './security-headers.ts'
import { sendSource } from './send-source.ts'
import { findFile, readSource, segmentsOf, sizeOf, type ViewerFile } from './viewer-file.ts'

export interface Viewer {
  /**
   * Answers completely. Faults: viewer-missing when the folder or its index.html is not there.
   *
   * @param path  canonical, still percent-encoded
   */
  serve(exchange: Exchange, path: string): Promise<void>
  /** Whether there is a viewer to serve at this moment. */
  isInstalled(): Promise<boolean>
}

export interface ViewerSettings {
  /**
   * The whole of app-config.js, or the one that lies in the folder, for settings of one's own. Such a viewer may fetch
   * from any https server, unless `fence` says otherwise. Absent: ours.
   */
  readonly appConfig?: string | { readonly from: 'folder' }
  /** Absent: the closed one. */
  readonly fence?: Partial<Fence>
}

export function openViewer(
  { root, dicomWeb }: ViewerSection,
  { appConfig, fence: asked }: ViewerSettings = {},
): Viewer {
  const fence: Fence = {
    ...closedFence,
    ...(appConfig === undefined ? {} : { reach: ['https:', 'wss:'] }),
    ...asked,
  }
  const settings = typeof appConfig === 'object' ? undefined : settingsFile(appConfig ?? appConfigFor(dicomWeb))
  const variants = createVariants()

  /** The page's inline scripts are in its policy, so a page is read before its headers are written. */
  async function securityOf(file: ViewerFile): Promise<HeaderList> {
    if (extensionOf(file.name) !== 'html') return securityHeaders(undefined, fence)
    const page = await readSource(await variants.inCoding(file, 'identity'))
    return securityHeaders(page.toString('utf8'), fence)
  }

  async function resolve(segments: readonly string[]): Promise<ViewerFile | undefined> {
    if (segments.length === 1 && segments[0] === 'app-config.js') return settings ?? (await ownSettings())
    const file = segments.length === 0 ? undefined : await findFile(root, segments)
    if (file !== undefined) return file
    if (segments[0] === 'plugins' || extensionOf(segments.at(-1) ?? '') !== undefined) return undefined
    const page = await findFile(root, ['index.html'])
    if (page === undefined) throw new Fault('viewer-missing', { about: `${root} holds no index.html` })
    return page
  }

  /** Who mounts a file of that name does not touch the .gz that the viewer was built with, whichever is newer. */
  async function ownSettings(): Promise<ViewerFile | undefined> {
    const file = await findFile(root, ['app-config.js'])
    return file?.plain === undefined ? file : { ...file, packed: new Map() }
  }

  const plainAnswer = plainAnswers(fence)
  return {
    async serve(exchange, path) {
      const { method, headers } = exchange.request
      if (method !== 'GET' && method !== 'HEAD') return plainAnswer(exchange, 405, [['allow', 'GET, HEAD']])

      const segments = segmentsOf(path)
      const file = segments === undefined ? undefined : await resolve(segments)
      if (file === undefined) return plainAnswer(exchange, 404)

      const offered = offeredCodings(file)
      const coding = chooseCoding(headers, offered)
      if (coding === undefined) return plainAnswer(exchange, 406, [['vary', 'accept-encoding']])

      const caching = cacheControl(file.name)
      const etag = etagOf(file, coding)
      const common: HeaderList = [
        ...(await securityOf(file)),
        ['cache-control', caching],
        ...(offered[0] === 'identity' ? [] : [['vary', 'accept-encoding'] as const]),
        ...(caching === 'no-store' ? [] : [['etag', etag] as const]),
      ]
      if (caching !== 'no-store' && isHeld(headers, etag)) return exchange.reply.send(304, common, '')

      const source = await variants.inCoding(file, coding)
      const described: HeaderList = [...common, ['content-type', mediaTypeOf(file.name).contentType]]
      if (coding !== 'identity') return await sendSource(exchange, source, [...described, ['content-encoding', coding]])
      const range = rangeOf(headers, sizeOf(source), etag)
      await sendSource(exchange, source, [...described, ['accept-ranges', 'bytes']], range)
    },
    async isInstalled() {
      const page = await findFile(root, ['index.html']).catch(asMissing)
      return page !== undefined
    },
  }
}

/** A root that is not there means that the viewer is not; anything else is worth knowing. */
function asMissing(thrown: unknown): undefined {
  if (thrown instanceof Fault && thrown.code === 'viewer-missing') return undefined
  throw thrown
}

/** Strong, and different for each coding: a part of one must never be joined to a part of another. RFC 9110 8.8.3.3 */
const etagOf = ({ version }: ViewerFile, coding: Coding): string =>
  coding === 'identity' ? `"${version}"` : `"${version}-${coding}"`

function settingsFile(text: string): ViewerFile {
  const bytes = Buffer.from(text, 'utf8')
  const version = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
  return { name: 'app-config.js', version, plain: { kind: 'memory', bytes }, packed: new Map() }
}

const phrases: Record<404 | 405 | 406, string> = {
  404: 'There is no such file in the viewer.',
  405: 'The viewer can only be read.',
  406: 'The viewer is not available in the content codings that this client accepts.',
}

const plainAnswers =
  (fence: Fence) =>
  ({ reply }: Exchange, status: keyof typeof phrases, more: HeaderList = []): void => {
    const headers: HeaderList = [
      ...securityHeaders(undefined, fence),
      ['cache-control', 'no-store'],
      ['content-type', 'text/plain; charset=utf-8'],
      ...more,
    ]
    reply.send(status, headers, `${phrases[status]}\n`)
  }
