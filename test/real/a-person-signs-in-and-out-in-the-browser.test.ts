// Signing in with name and password, being refused, and signing out, as a person in a browser meets them.
import type { Page } from 'playwright-core'
import t from 'tap'
import { chromiumTools, startChromium } from '../fixture/chromium.ts'
import { cast } from '../fixture/directory-tree.ts'
import { requireReal, requireRoot } from '../fixture/real.ts'
import { directoryTools, hospitalTools, startHospital } from './hospital.ts'
import { fillLogin, imageBrightness, shoot, watch } from './in-browser.ts'

const tools = [...chromiumTools, ...hospitalTools, ...directoryTools]
const { alice, bob, carol } = cast
const pathOf = (page: Page) => new URL(page.url()).pathname
/** Runs in the page: what asking twice gives, the second time from the cache or not at all. */
const keptByBrowser = `(async () => {
  const { status } = await fetch('/dicom-web/studies')
  const cached = { cache: 'only-if-cached', mode: 'same-origin' }
  return [status, await fetch('/dicom-web/studies', cached).then(() => 'kept', () => 'not kept')]
})()`

t.test('a person of the directory signs in, sees the images, signs out, and leaves nothing behind', async t => {
  if (!requireReal(t, tools)) return
  const { gateway, authority, viewer } = await startHospital(t, { directory: true })
  const { newPage } = await startChromium(t, { caFile: authority.caFile })
  const page = await newPage()
  const seen = watch(page, gateway.url)

  await page.goto(gateway.url + viewer)
  t.equal(pathOf(page), '/-/login', 'the login page comes first')
  t.equal(await fillLogin(page, alice.uid, 'not the password'), 401)
  t.match(await page.getByRole('alert').textContent(), 'User name or password is wrong, or the account is locked.')
  t.equal(await page.inputValue('input[name="name"]'), alice.uid, 'the name need not be typed again')
  t.equal(await page.inputValue('input[name="password"]'), '')

  const entered = page.waitForResponse(answer => answer.status() === 303)
  await fillLogin(page, alice.uid, alice.password)
  t.equal(page.url(), gateway.url + viewer, 'the person is where they wanted to go')
  const lines = (await (await entered).headersArray()).filter(({ name }) => name.toLowerCase() === 'set-cookie')
  t.match(
    lines.map(({ value }) => value),
    [/^__Host-sallyport=[\w-]{22,}; Path=\/; Secure; HttpOnly; SameSite=Lax$/],
    'one cookie, with these attributes and no other',
  )
  const kept = (await page.context().cookies()).find(({ name }) => name === '__Host-sallyport')
  t.match(kept, { domain: 'localhost', path: '/', expires: -1, httpOnly: true, secure: true, sameSite: 'Lax' })
  t.ok((await imageBrightness(page)) > 300, 'the image is there')
  t.same(seen.refusals(), ['401 /-/login'], 'but for the wrong password nothing was refused or missing')
  t.same(seen.complaints, [])
  t.same(await page.evaluate(keptByBrowser), [200, 'not kept'], 'the browser keeps no answer of the archive')

  await page.goto(`${gateway.url}/-/home`)
  t.match(await page.locator('main').textContent(), /alice \(directory account\).*radiology/s)
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByText('You are signed out.').waitFor()
  t.equal(pathOf(page), '/-/login')

  for (const what of ['the home page', 'the viewer']) {
    await page.goBack()
    t.equal(pathOf(page), '/-/login', `the back button leads from ${what} to the login page`)
    t.notMatch(await page.locator('main').textContent(), 'alice')
    t.equal(await page.locator('canvas').count(), 0)
  }
  const replayed = await gateway.ask('/dicom-web/studies', { cookie: `__Host-sallyport=${kept?.value}` })
  t.equal(replayed.status, 401, 'the cookie is worth nothing on the server')
})

t.test('who is in no group does not get in, and another group opens other doors only', async t => {
  if (!requireReal(t, tools)) return
  const { gateway, authority } = await startHospital(t, { directory: true })
  const { newPage } = await startChromium(t, { caFile: authority.caFile })
  const page = await newPage()

  await page.goto(`${gateway.url}/dicom-web/studies`)
  t.equal(await fillLogin(page, carol.uid, carol.password), 401, 'the password is right, and it makes no difference')
  t.match(await page.getByRole('alert').textContent(), 'User name or password is wrong, or the account is locked.')
  t.same(
    (await page.context().cookies()).filter(({ name }) => name === '__Host-sallyport'),
    [],
    'no session',
  )
  t.match(JSON.stringify(gateway.audit()), /carol.*no group|no group.*carol/, 'the audit trail says why')

  await fillLogin(page, bob.uid, bob.password)
  t.equal(pathOf(page), '/dicom-web/studies')
  t.match(await page.locator('h1').textContent(), 'This door is not open to you')
  t.match(await page.locator('main').textContent(), /radiology.*bob \(directory account\).*pacs-admins/s)
  await shoot(page, 'denied-bob')
  t.equal((await page.goto(`${gateway.url}/orthanc/`))?.status(), 200, 'his own door opens')

  await page.goto(`${gateway.url}/dicom-web/studies`)
  await page.getByRole('link', { name: 'Sign in as somebody else' }).click()
  await fillLogin(page, alice.uid, alice.password)
  t.equal(pathOf(page), '/dicom-web/studies')
  t.match(await page.textContent('body'), 'Sample^Chest', 'for alice the same door opens')
  t.equal((await page.goto(`${gateway.url}/orthanc/`))?.status(), 403, 'and his door is closed to her')
})

t.test('after signing out a certificate enters only when its holder says so', async t => {
  if (!requireReal(t, tools) || !requireRoot(t, 'browser policy')) return
  const { gateway, authority } = await startHospital(t, { certificateGroups: ['radiology'] })
  const { p12File, p12Password } = await authority.client('alice')
  const { newPage } = await startChromium(t, {
    caFile: authority.caFile,
    p12: { file: p12File, password: p12Password },
    autoSelectFor: { pattern: gateway.url, issuer: 'Test Authority' },
  })
  const page = await newPage()
  const home = `${gateway.url}/-/home`

  await page.goto(home)
  t.match(await page.locator('main').textContent(), /alice \(certificate\)/, 'first it enters by itself')
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByText('You are signed out.').waitFor()

  await page.goto(home)
  t.equal(pathOf(page), '/-/login', 'then it does not')
  await shoot(page, 'login-continue-as')
  const again = await newPage()
  await again.goto(`${gateway.url}/dicom-web/studies`)
  t.equal(pathOf(again), '/-/login', 'nor in another tab')

  await again.getByRole('button', { name: 'Continue as alice' }).click()
  await again.getByText('Sample^Chest').waitFor()
  t.equal(pathOf(again), '/dicom-web/studies')
  await page.goto(home)
  t.match(await page.locator('main').textContent(), /alice \(certificate\)/, 'from now on it does again')
})
