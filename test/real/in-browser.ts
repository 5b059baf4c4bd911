/**
 * What a test sees and does in a page: answers and complaints, the login form, the pixels of the viewer, screenshots.
 *
 * Scripts for the page are text, for they run in the browser, whose types are not ours; and they are asked from
 * outside again and again, because playwright's own waiting would need 'unsafe-eval' in the page.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Page } from 'playwright-core'

export interface Seen {
  /** Path and query of every answer from `origin`, with its status. */
  readonly answers: { readonly status: number; readonly path: string }[]
  /** Answers of 400 and above, each as "404 /path". */
  refusals(): string[]
  /** Errors of the page, and what its content security policy stood in the way of. */
  readonly complaints: string[]
  /** Whatever the page asked of anybody else. */
  readonly elsewhere: string[]
}

export function watch(page: Page, origin: string): Seen {
  const seen = { answers: [] as Seen['answers'], complaints: [] as string[], elsewhere: [] as string[] }
  page.on('response', answer => {
    const url = new URL(answer.url())
    if (url.origin === origin) seen.answers.push({ status: answer.status(), path: url.pathname + url.search })
  })
  page.on('request', request => {
    const asked = new URL(request.url())
    if (asked.protocol.startsWith('http') && asked.origin !== origin) seen.elsewhere.push(asked.href)
  })
  page.on('console', message => {
    if (/Content Security Policy|Refused to|blocked by|ERR_BLOCKED/i.test(message.text()))
      seen.complaints.push(message.text().slice(0, 300))
  })
  page.on('pageerror', error => seen.complaints.push(String(error).slice(0, 300)))
  return {
    ...seen,
    refusals: () => seen.answers.filter(({ status }) => status >= 400).map(({ status, path }) => `${status} ${path}`),
  }
}

/** Fills in the login form that is on the page, and waits for what comes after it. */
export async function fillLogin(page: Page, name: string, password: string): Promise<number> {
  await page.fill('input[name="name"]', name)
  await page.fill('input[name="password"]', password)
  // The first answer of the form: a redirect when it let the person in.
  const answered = page.waitForResponse(answer => answer.request().method() === 'POST')
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  const status = (await answered).status()
  await page.waitForLoadState('domcontentloaded')
  return status
}

/** How many of 64 x 64 samples of the viewer's first image are bright; 0 while there is none. */
const brightSamples = `(() => {
  const canvas = document.querySelector('.cornerstone-canvas')
  if (!canvas || !canvas.width) return 0
  const small = new OffscreenCanvas(64, 64).getContext('2d')
  small.drawImage(canvas, 0, 0, 64, 64)
  const { data } = small.getImageData(0, 0, 64, 64)
  let bright = 0
  for (let at = 0; at < data.length; at += 4) if (data[at] > 60) bright++
  return bright
})()`

/** Of 4096, once the image is there; a black frame has none of the image's share. */
export async function imageBrightness(page: Page): Promise<number> {
  return await until(
    async () => Number(await page.evaluate(brightSamples)),
    bright => bright > 300,
  )
}

/** The last value asked for: the first that is good, or what there was after 30 seconds. */
export async function until<Value>(ask: () => Promise<Value>, good: (value: Value) => boolean): Promise<Value> {
  for (let tries = 0; ; tries++) {
    const value = await ask()
    if (good(value) || tries === 150) return value
    await pause(200)
  }
}

/** For people: kept in the folder that SCREENSHOTS names, if it names one. */
export async function shoot(page: Page, name: string): Promise<void> {
  const folder = process.env['SCREENSHOTS']
  if (folder === undefined || folder === '') return
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`) })
}
