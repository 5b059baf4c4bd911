// The home page shows the doors that one may open, and nothing of others.
import t from 'tap'
import { Surfer, startHouse } from './portal-house.ts'

t.test('everyone sees their own doors only', async t => {
  const house = await startHouse(t)
  const alice = new Surfer(house)
  await alice.signIn('alice')
  const { text, status } = await alice.visit('/-/home')
  t.equal(status, 200)
  t.match(text, 'Welcome, alice')
  t.match(text, '<a href="/"><strong>Image viewer</strong>')
  t.match(text, '<a href="/omero"><strong>OMERO.web</strong>')
  t.match(text, '<code>/dicom-web</code>', 'an address for programs')
  t.notMatch(text, 'href="/dicom-web"', 'is no door')
  t.notMatch(text, /href="\/orthanc|href="\/notes|lab-notes/)
  t.match(text, 'local account')
  t.match(text, 'radiology')
  t.match(text, /ends in (29|30) min/)
  t.notMatch(text, /<h2>Servers|mallory/)
})

t.test('administrators also see how the servers are', async t => {
  const house = await startHouse(t)
  const root = new Surfer(house)
  await root.signIn('root')
  const { text } = await root.visit('/-/home')
  t.match(text, /<td>orthanc<\/td><td class="kind">orthanc<\/td><td class="up">answers<\/td><td>3 h<\/td>/)
  t.match(text, /<td>omero<\/td><td class="kind">omero-web<\/td><td class="down">does not answer<\/td><td>1 min<\/td>/)
  t.match(text, 'not asked yet')
  t.notMatch(text, /10\.9\.8\.7/, 'never where they are')
  t.match(text, '<a href="/notes"><strong>lab-notes</strong>')
  t.notMatch(text, 'href="/orthanc/"', 'a door that wants another proof is not shown as open')
})

t.test('the holder of a certificate sees what it opens, and no end of a session', async t => {
  const house = await startHouse(t)
  const { text } = await new Surfer(house, await house.authority.client('ct-scanner-1')).visit('/-/home')
  t.match(text, '<dd>client certificate</dd>')
  t.notMatch(text, 'ends in')
})

t.test('who is not signed in is sent to sign in, and /-/ leads home', async t => {
  const house = await startHouse(t)
  const surfer = new Surfer(house)
  t.equal((await surfer.visit('/-/home')).headers['location'], '/-/login?next=%2F-%2Fhome')
  for (const path of ['/-', '/-/']) t.equal((await surfer.visit(path)).headers['location'], '/-/home')
  t.equal((await surfer.visit('/-/logout')).headers['location'], '/-/login')
})

t.test('the style sheet is kept for good under its version, and asked again without', async t => {
  const house = await startHouse(t)
  const { text } = await new Surfer(house).visit('/-/login')
  const [, href = ''] = /<link rel="stylesheet" href="([^"]+)">/.exec(text) ?? []
  t.match(href, /^\/-\/portal\.css\?v=[0-9a-f]{12}$/)
  const sheet = await house.ask(href)
  t.equal(sheet.headers['content-type'], 'text/css; charset=utf-8')
  t.equal(sheet.headers['cache-control'], 'public, max-age=31536000, immutable')
  t.equal((await house.ask('/-/portal.css?v=0')).headers['cache-control'], 'no-cache')
  t.equal((await house.ask(href, { headers: { 'if-none-match': sheet.headers['etag'] ?? '' } })).status, 304)
  t.equal((await house.ask('/-/icon.svg')).headers['content-type'], 'image/svg+xml')
})
