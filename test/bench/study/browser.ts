/**
 * OHIF in a real Chromium, with nothing in its cache: when the first image is there, and when the last frame of the study.
 *
 * Frames are fetched by OHIF itself, nobody scrolls. It lets go of a frame at its closing boundary, which Chromium calls canceled where
 * the answer may not be stored (`no-store`), and finished elsewhere; nothing is reset by that. Such a frame counts when all its bytes
 * were there, one with a byte less does not. The first image is looked for five times a second. WebGL is drawn in
 * software, on the processors that all share.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Browser } from 'playwright-core'
import { imageBrightness } from '../../real/in-browser.ts'
import type { Way } from './ways.ts'

export interface Viewing {
  /** Seconds since the address was opened. */
  readonly firstPixels: number
  readonly lastFrame: number
  /** MB over the line, everything. */
  readonly megabytes: number
}

const patience = 240_000

export async function view(browser: Browser, way: Way, studyUid: string, frames: number): Promise<Viewing> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
  try {
    const [name, value] = way.headers['cookie']?.split('=') ?? []
    if (name !== undefined && value !== undefined)
      await context.addCookies([{ name, value, url: way.origin, secure: true, httpOnly: true, sameSite: 'Lax' }])
    const page = await context.newPage()
    const protocol = await context.newCDPSession(page)
    await protocol.send('Network.enable')
    const asked = new Map<string, { readonly url: string; readonly length: number; received: number }>()
    const seen = new Set<string>()
    const refused: string[] = []
    let [bytes, lastFrame] = [0, 0]
    const startedAt = performance.now()
    const now = () => (performance.now() - startedAt) / 1000
    const ended = (id: string, isWhole: (frame: { length: number; received: number }) => boolean) => {
      const frame = asked.get(id)
      if (frame === undefined || seen.has(frame.url) || !isWhole(frame)) return
      seen.add(frame.url)
      lastFrame = now()
    }
    protocol.on('Network.responseReceived', ({ requestId, response: { url, status, headers } }) => {
      // A coded body counts when it has ended.
      const length = headers['content-encoding'] === undefined ? Number(headers['content-length'] ?? NaN) : NaN
      if (url.includes('/frames/')) asked.set(requestId, { url, length, received: 0 })
      if (status >= 400) refused.push(`${status} ${url}`)
    })
    protocol.on('Network.dataReceived', ({ requestId, dataLength }) => {
      const frame = asked.get(requestId)
      if (frame !== undefined) frame.received += dataLength
    })
    protocol.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      bytes += encodedDataLength
      ended(requestId, () => true)
    })
    protocol.on('Network.loadingFailed', ({ requestId, canceled }) => {
      ended(requestId, ({ length, received }) => {
        const isWhole = canceled === true && received === length
        if (isWhole) bytes += length
        return isWhole
      })
    })
    await page.goto(`${way.origin}/viewer?StudyInstanceUIDs=${studyUid}`, { waitUntil: 'domcontentloaded' })
    if ((await imageBrightness(page)) <= 300) throw new Error(`no image through ${way.origin}: ${refused.join(', ')}`)
    const firstPixels = now()
    while (seen.size < frames && performance.now() - startedAt < patience) await pause(50)
    if (seen.size < frames) throw new Error(`only ${seen.size} of ${frames} frames came: ${refused.join(', ')}`)
    const wrong = refused.filter(line => line.includes('/dicom-web/'))
    if (wrong.length > 0) throw new Error(`refused: ${wrong.join(', ')}`)
    return { firstPixels, lastFrame, megabytes: bytes / 2 ** 20 }
  } finally {
    await context.close()
  }
}
