// Orthanc's own pages work behind a prefix that Orthanc does not know of.
import t from 'tap'
import { chromiumTools, startChromium } from '../fixture/chromium.ts'
import { cast } from '../fixture/directory-tree.ts'
import { requireReal } from '../fixture/real.ts'
import { directoryTools, hospitalTools, slices, startHospital } from './hospital.ts'
import { fillLogin, shoot, watch } from './in-browser.ts'

t.test('Orthanc Explorer lists the studies and shows one, under /orthanc/', async t => {
  if (!requireReal(t, [...chromiumTools, ...hospitalTools, ...directoryTools])) return
  const { gateway, authority } = await startHospital(t, { directory: true })
  const { newPage } = await startChromium(t, { caFile: authority.caFile })
  const page = await newPage()
  const seen = watch(page, gateway.url)

  await page.goto(`${gateway.url}/orthanc`)
  await fillLogin(page, cast.bob.uid, cast.bob.password)
  t.equal(page.url(), `${gateway.url}/orthanc/app/explorer.html`, "Orthanc's redirect keeps the prefix")

  await page.getByRole('link', { name: 'All studies' }).first().click()
  await page.locator('#all-studies').getByText('Sample^Chest').first().waitFor()
  await shoot(page, 'explorer-list')
  await page.locator('#all-studies').getByText('Sample^Chest').first().click()
  await page.locator('#study').getByText(`${slices}`, { exact: true }).first().waitFor()
  await shoot(page, 'explorer-study')

  t.same(seen.refusals(), [], 'nothing was refused or missing')
  t.same(seen.complaints, [])
  t.same(seen.elsewhere, [])
  const strays = seen.answers.filter(({ path }) => !/^\/(orthanc|-)(\/|$)/.test(path))
  t.same(strays, [], 'the pages never leave their prefix')
})
