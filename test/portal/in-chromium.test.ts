// A person gets in with a real browser: by keyboard alone, on a phone, in the dark, without a script.
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { chromiumTools, startChromium } from '../fixture/chromium.ts'
import { requireReal } from '../fixture/real.ts'
import { alicesPassword, type House, startHouse } from './portal-house.ts'

/** Where the pictures go, for whoever wants to look at the pages. */
const shots = process.env['PORTAL_SHOTS']

const looks = [
  { colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  { colorScheme: 'dark', viewport: { width: 1280, height: 800 } },
  { colorScheme: 'light', viewport: { width: 390, height: 844 } },
  { colorScheme: 'dark', viewport: { width: 390, height: 844 } },
] as const

type Look = (typeof looks)[number]

/** Texts whose contrast to what lies behind them is below WCAG AA, and whatever is wider than the window. Runs in the page. */
const shortcomings = `(() => {
  const numbers = color => (color.match(/[\\d.]+/g) ?? []).map(Number)
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(c => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4))
    return 0.2126 * x + 0.7152 * y + 0.0722 * z
  }
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = numbers(getComputedStyle(at).backgroundColor)
      if (color.length === 3 || color[3] > 0) return color
    }
    return [255, 255, 255]
  }
  const found = []
  for (const element of document.body.querySelectorAll('*')) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim() !== '')
    if (!own && element.tagName !== 'INPUT') continue
    const [a, b] = [light(numbers(getComputedStyle(element).color)), light(behind(element))]
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    if (ratio < 4.5) found.push(element.tagName + ' ' + element.textContent.trim().slice(0, 40) + ': ' + ratio.toFixed(2))
  }
  const { scrollWidth, clientWidth } = document.documentElement
  if (scrollWidth > clientWidth) found.push('wider than the window: ' + scrollWidth)
  if (document.querySelectorAll('h1').length !== 1) found.push('not one h1')
  for (const input of document.querySelectorAll('input:not([type=hidden])')) if (input.labels.length !== 1) found.push('a field without label')
  return found
})()`

async function look(t: Test, page: Page, { colorScheme, viewport }: Look, name: string): Promise<void> {
  t.same(await page.evaluate(shortcomings), [], `${name}, ${colorScheme}, ${viewport.width} wide`)
  if (shots !== undefined) {
    await page.screenshot({
      path: join(shots, `${name}-${colorScheme}-${viewport.width}.png`),
      fullPage: viewport.width < 500,
    })
  }
}

async function browse(t: Test, house: House, { colorScheme, viewport }: Look): Promise<Page> {
  const chromium = await startChromium(t, { caFile: house.authority.caFile, colorScheme, viewport })
  const page = await chromium.newPage()
  page.on('console', message => {
    // The browser's own word for any status from 400 up.
    if (!/^(Failed to load resource|Autofocus processing)/.test(message.text())) t.fail(message.text())
  })
  page.on('pageerror', error => t.fail(String(error)))
  return page
}

async function fillIn(page: Page, name: string, password = alicesPassword): Promise<void> {
  await page.getByLabel('User name').fill(name)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

for (const wanted of looks) {
  t.test(`every page can be read: ${wanted.colorScheme}, ${wanted.viewport.width} wide`, async t => {
    if (!requireReal(t, chromiumTools)) return
    const house = await startHouse(t, { certificate: 'none' })
    const page = await browse(t, house, wanted)
    const see = (name: string) => look(t, page, wanted, name)

    await page.goto(`${house.url}/viewer?StudyInstanceUIDs=1.2.3`)
    t.equal(await page.title(), 'Sign in · sallyport')
    await see('login')
    await fillIn(page, 'alice', 'wrong')
    await page.getByRole('alert').getByText('User name or password is wrong, or the account is locked.').waitFor()
    await see('login-wrong')
    await fillIn(page, 'many')
    await see('login-throttled')
    await fillIn(page, 'expired')
    await page.getByRole('alert').getByText('it has expired').waitFor()
    await see('login-expired')
    await fillIn(page, 'new')
    await page.getByRole('alert').getByText('must be changed before').waitFor()
    await see('login-must-change')
    await fillIn(page, 'directory-down')
    await see('directory-down')

    await page.goto(`${house.url}/-/login`)
    await fillIn(page, 'ending')
    await page.getByRole('status').getByText('Your password will expire in 3 days.').waitFor()
    await see('login-notice')
    await page.getByRole('link', { name: 'Continue' }).click()
    await page.getByRole('heading', { name: 'Welcome, ending' }).waitFor()
    await page.goto(`${house.url}/-/login`)
    await fillIn(page, 'root')
    await page.getByRole('heading', { name: 'Welcome, root' }).waitFor()
    await see('home-administrator')
    await page.goto(`${house.url}/orthanc/`)
    await see('403-proof')
    await page.goto(`${house.url}/-/logout`)
    await see('logout')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('status').waitFor()
    await see('signed-out')

    await fillIn(page, 'alice')
    await see('home')
    await page.goto(`${house.url}/notes`)
    await see('403')
    await page.goto(`${house.url}/-/login?next=/notes`)
    await see('login-while-signed-in')
    for (const [name, path] of [
      ['502', '/fault/upstream-unreachable/orthanc'],
      ['504', '/fault/upstream-timeout/orthanc'],
      ['maintenance', '/fault/upstream-unreachable/omero'],
      ['viewer-missing', '/fault/viewer-missing/viewer'],
      ['bug', '/fault/bug'],
      ['404', '/-/nothing'],
      ['400', '/a%2fb'],
      ['421', '/wrong-name'],
    ] as const) {
      await page.goto(house.url + path)
      await see(name)
    }
  })
}

t.test('the keyboard alone is enough, and without scripts as well', async t => {
  if (!requireReal(t, chromiumTools)) return
  const house = await startHouse(t, { certificate: 'none' })
  const chromium = await startChromium(t, { caFile: house.authority.caFile })
  const context = await chromium.browser.newContext({ javaScriptEnabled: false })
  const page = await context.newPage()
  await page.goto(`${house.url}/viewer`)
  await page.locator('input[name=name]:focus').waitFor()
  await page.keyboard.type('alice')
  await page.keyboard.press('Tab')
  await page.keyboard.type(alicesPassword)
  await page.keyboard.press('Enter')
  await page.getByText('upstream for alice').waitFor()

  await page.goto(`${house.url}/-/home`)
  const focused = page.locator(':focus')
  for (
    let tabs = 0;
    tabs < 20 && (await focused.textContent({ timeout: 1_000 }).catch(() => '')) !== 'Sign out';
    tabs++
  ) {
    await page.keyboard.press('Tab')
  }
  t.equal(await focused.textContent(), 'Sign out')
  await page.keyboard.press('Enter')
  await page.getByRole('status').getByText('You are signed out.').waitFor()

  await page.goBack()
  t.notMatch(await page.content(), 'Welcome, alice', 'going back shows nothing of before')
})

t.test('a certificate that signed out comes back by one button', async t => {
  if (!requireReal(t, chromiumTools)) return
  const house = await startHouse(t)
  const { chainPem, keyPem } = await house.authority.client('dr.grey')
  const clientCertificates = [{ origin: house.url, cert: Buffer.from(chainPem), key: Buffer.from(keyPem) }]
  for (const { colorScheme, viewport } of looks.slice(0, 2)) {
    const chromium = await startChromium(t, {
      caFile: house.authority.caFile,
      clientCertificates,
      colorScheme,
      viewport,
    })
    const page = await chromium.newPage()
    await page.goto(`${house.url}/-/home`)
    await page.getByText('client certificate').waitFor()
    await look(t, page, { colorScheme, viewport } as Look, 'home-certificate')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('button', { name: 'Continue as dr.grey' }).waitFor()
    await look(t, page, { colorScheme, viewport } as Look, 'login-certificate')
    await page.getByRole('button', { name: 'Continue as dr.grey' }).click()
    await page.getByRole('heading', { name: 'Welcome, dr.grey' }).waitFor()
  }
})

t.test('a certificate that is turned away is told why, in a page with its own style', async t => {
  if (!requireReal(t, chromiumTools)) return
  const house = await startHouse(t, { certificate: 'required' })
  const old = await house.authority.client('dr.grey', { now: new Date(Date.now() - 90 * 86_400_000), days: 30 })
  const clientCertificates = [{ origin: house.url, cert: Buffer.from(old.chainPem), key: Buffer.from(old.keyPem) }]
  const [wanted] = looks
  const chromium = await startChromium(t, { caFile: house.authority.caFile, clientCertificates, ...wanted })
  const page = await chromium.newPage()
  await page.goto(`${house.url}/viewer`)
  await page.getByText('Your certificate has expired.').waitFor()
  t.equal(
    await page.evaluate(`getComputedStyle(document.querySelector('main')).borderRadius`),
    '12px',
    'the style is there',
  )
  await look(t, page, wanted, '400-certificate')
})
