// The gateway's own pages, as people reach them: light, dark, and on a phone.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t from 'tap'
import { chromiumTools, startChromium } from '../fixture/chromium.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { requireReal } from '../fixture/real.ts'
import { fillLogin, shoot, watch } from './in-browser.ts'

/** Nobody listens on port 1. @param root  of the viewer */
const yamlOf = (root: string) => `
administrators: [pacs-admins]
upstreams:
  viewer: { kind: ohif, root: ${root} }
  orthanc: { kind: orthanc, url: "http://127.0.0.1:1" }
  omero: { kind: omero-web, url: "http://127.0.0.1:1" }
routes:
  - { path: /, upstream: viewer, access: authenticated }
  - { path: /dicom-web, upstream: orthanc, access: [{ groups: [radiology], may: read }] }
  - { path: /orthanc, upstream: orthanc, strip: true, access: [{ groups: [pacs-admins], may: everything }] }
  - { path: /omero, upstream: omero, access: everyone }
`
const password = 'correct horse'
const accounts = {
  alice: { password, groups: ['radiology'] },
  bob: { password, groups: ['pacs-admins'] },
}

const looks = [
  { name: 'light', colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  { name: 'dark', colorScheme: 'dark', viewport: { width: 1280, height: 800 } },
  { name: 'phone', colorScheme: 'light', viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true },
] as const

/** Runs in the page: its width, and how light its ground is, 0 to 255. (A phone's innerWidth grows with the page.) */
const layout = `(() => {
  const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)
  return { width: document.documentElement.scrollWidth, ground: (red + green + blue) / 3 }
})()`

t.test('login, home, refusal and fault can be read in light, in dark and on a phone', async t => {
  if (!requireReal(t, chromiumTools)) return
  const root = t.testdir({ 'index.html': '' })
  const gateway = await startTestGateway(t, { yaml: yamlOf(root), accounts, certificate: 'none' })
  const { browser } = await startChromium(t, { caFile: gateway.authority.caFile })

  for (const { name: look, ...wishes } of looks) {
    const context = await browser.newContext(wishes)
    const page = await context.newPage()
    const seen = watch(page, gateway.url)
    const lookAt = async (what: string) => {
      const { width, ground } = (await page.evaluate(layout)) as { width: number; ground: number } // as `layout` has it
      t.equal(width, wishes.viewport.width, `${what}, ${look}: nothing sticks out to the side`)
      t.equal(ground < 128, look === 'dark', `${what}, ${look}: the ground is ${look === 'dark' ? 'dark' : 'light'}`)
      await shoot(page, `${what}-${look}`)
    }
    const open = async (path: string) => (await page.goto(gateway.url + path))?.status()

    t.equal(await open('/orthanc/'), 200)
    await lookAt('login')
    await fillLogin(page, 'alice', password)
    t.match(await page.textContent('h1'), 'This door is not open to you')
    await lookAt('refusal')
    await page.getByRole('link', { name: 'Go to the home page' }).click()
    await page.getByText('Welcome, alice').waitFor()
    await lookAt('home')
    t.equal(await open('/omero/'), 502)
    await lookAt('fault')

    t.same(seen.complaints, [], `${look}: our own policy is in the way of nothing`)
    t.same(seen.elsewhere, [], `${look}: nobody else is asked for anything`)
    await context.close()
  }
})

/** The doors on the page: what each is called, and where it leads. */
const doors = (page: Page) =>
  page
    .locator('ul.doors a')
    .evaluateAll(links =>
      links.map(link => `${link.querySelector('strong')?.textContent} ${link.getAttribute('href')}`),
    )

t.test('the home page lists the doors that are open to the one who looks', async t => {
  if (!requireReal(t, chromiumTools)) return
  const root = t.testdir({ 'index.html': '' })
  const gateway = await startTestGateway(t, { yaml: yamlOf(root), accounts, certificate: 'none' })
  const { browser } = await startChromium(t, { caFile: gateway.authority.caFile })
  const homeOf = async (name: string) => {
    const page = await (await browser.newContext()).newPage()
    await page.goto(`${gateway.url}/-/home`)
    await fillLogin(page, name, password)
    t.equal(page.url(), `${gateway.url}/-/home`)
    return page
  }

  const alice = await homeOf('alice')
  t.same(await doors(alice), ['Image viewer /', 'OMERO.web /omero'])
  t.match(await alice.textContent('main'), '/dicom-web', 'an address for programs')
  t.equal(await alice.locator('table').count(), 0, 'how the servers are is not for her')

  const bob = await homeOf('bob')
  t.same(await doors(bob), ['Image viewer /', 'Orthanc /orthanc/', 'OMERO.web /omero'])
  await bob.getByRole('link', { name: 'Orthanc' }).click()
  t.equal(await bob.textContent('h1'), 'The server does not answer')
  await bob.getByRole('link', { name: 'Go to the home page' }).click()
  t.match(
    await bob.getByRole('row', { name: /^orthanc/ }).textContent(),
    'does not answer',
    'and administrators see it',
  )
  await shoot(bob, 'home-administrator')

  rmSync(join(root, 'index.html'))
  await bob.goto(`${gateway.url}/-/home`)
  await bob.getByRole('link', { name: 'Image viewer' }).click()
  t.match(await bob.textContent('main'), 'sallyport viewer install', 'a viewer that went away is said to be missing')
  await shoot(bob, 'viewer-missing')
})
