// Every refusal and fault in two shapes, with what to do now, and without what others need not know.
import t from 'tap'
import type { Answered } from '../fixture/front-door.ts'
import { alicesPassword, Surfer, startHouse } from './portal-house.ts'

const curl = { accept: '*/*', 'user-agent': 'curl/8.5.0' }
const fetching = {
  accept: '*/*',
  'user-agent': 'Mozilla/5.0',
  'sec-fetch-mode': 'cors',
  'sec-fetch-site': 'same-origin',
}
const problem = ({ text, headers }: Answered): Record<string, unknown> =>
  headers['content-type'] === 'application/problem+json' ? JSON.parse(text) : {}

t.test('who is not signed in: a navigation goes to the login page, everything else gets problem+json', async t => {
  const house = await startHouse(t)
  const page = await new Surfer(house).visit('/dicom-web/studies?limit=101')
  t.equal(page.status, 303)
  t.equal(page.headers['location'], '/-/login?next=%2Fdicom-web%2Fstudies%3Flimit%3D101')
  t.equal(page.headers['cache-control'], 'no-store')

  const program = await house.ask('/dicom-web/studies', { headers: curl })
  t.equal(program.status, 401)
  t.equal(program.headers['www-authenticate'], 'Basic realm="sallyport", charset="UTF-8"')
  t.match(problem(program), {
    type: 'urn:sallyport:no-identity',
    status: 401,
    title: 'Please sign in',
    detail: /\.$/,
    reason: 'no-identity',
    requestId: program.headers['x-request-id'],
  })

  const script = await house.ask('/dicom-web/studies', { headers: fetching })
  t.equal(script.status, 401)
  t.equal(script.headers['www-authenticate'], undefined, 'no password dialog in a browser')
  const post = await house.ask('/dicom-web/studies', { method: 'POST', headers: curl, body: 'x' })
  t.equal(post.status, 401)
  t.equal((await house.ask('/dicom-web/studies', { method: 'HEAD', headers: curl })).bytes.length, 0)
})

t.test('no challenge where Basic is off', async t => {
  const house = await startHouse(t, { basic: false })
  const answer = await house.ask('/dicom-web/studies', { headers: curl })
  t.equal(answer.status, 401)
  t.equal(answer.headers['www-authenticate'], undefined)
})

t.test('a wrong password by Basic is told as such', async t => {
  const house = await startHouse(t)
  const basic = (name: string, password: string) => ({
    ...curl,
    authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`,
  })
  const wrong = await house.ask('/viewer', { headers: basic('alice', 'no') })
  t.equal(wrong.status, 401)
  t.match(problem(wrong), {
    reason: 'wrong-credentials',
    detail: 'User name or password is wrong, or the account is locked.',
  })
  t.match(wrong.headers['www-authenticate'], /^Basic /)
  const many = await house.ask('/viewer', { headers: basic('many', 'no') })
  t.equal(many.status, 429)
  t.equal(many.headers['retry-after'], '43')
  t.equal((await house.ask('/viewer', { headers: basic('alice', alicesPassword) })).text, 'upstream for alice')
})

t.test('who may not gets a page that says who one is, what is asked for, and what to do', async t => {
  const house = await startHouse(t)
  const nobody = new Surfer(house)
  await nobody.signIn('nobody')
  const page = await nobody.visit('/dicom-web/studies')
  t.equal(page.status, 403)
  t.match(page.text, 'nobody (local account)')
  t.match(page.text, 'It is open to members of pacs-admins or radiology.')
  t.match(page.text, 'href="/-/login?next=%2Fdicom-web%2Fstudies"')
  t.match(page.text, page.headers['x-request-id'] ?? 'missing')
  t.notMatch(page.text, 'mallory-secret-name', 'people are named to nobody')

  const cookie = `__Host-sallyport=${nobody.jar.get('__Host-sallyport')}`
  const program = await house.ask('/dicom-web/studies', { headers: { ...fetching, cookie } })
  t.equal(program.status, 403)
  t.match(problem(program), { reason: 'not-a-member', status: 403, requestId: /./ })
  t.notMatch(program.text, 'mallory-secret-name')
})

t.test('who may read but not write, or needs another proof, is told so', async t => {
  const house = await startHouse(t)
  const alice = new Surfer(house)
  await alice.signIn('alice')
  const write = await alice.visit('/dicom-web/studies', { method: 'POST', headers: { origin: house.url }, body: 'x' })
  t.equal(write.status, 403)
  t.match(write.text, 'You may look here, but not do this')

  const root = new Surfer(house)
  await root.signIn('root')
  const proof = await root.visit('/orthanc/system')
  t.equal(proof.status, 403)
  t.match(proof.text, 'It asks for a client certificate.')
})

t.test('what came from another site is refused without a word about the person', async t => {
  const house = await startHouse(t)
  const alice = new Surfer(house)
  await alice.signIn('alice')
  const answer = await alice.visit('/notes', {
    method: 'POST',
    headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    body: 'x',
  })
  t.equal(answer.status, 403)
  t.match(answer.text, 'another web site')
  t.notMatch(answer.text, /alice|radiology/)
})

t.test('where a certificate is required, a refused or missing one gets 400 and a page that says why', async t => {
  const house = await startHouse(t, { certificate: 'required' })
  const expired = await house.authority.client('old-node', { now: new Date(Date.now() - 90 * 86_400_000), days: 30 })
  const page = await new Surfer(house, expired).visit('/viewer')
  t.equal(page.status, 400)
  t.match(page.text, 'Your certificate has expired.')
  t.match(page.text, 'CN=old-node')
  t.notMatch(page.text, '<link', 'it holds its style sheet, since that would be refused as well')
  t.match(page.headers['content-security-policy'], /style-src 'sha256-/)

  const rogue = await new Surfer(house, await house.authority.rogueClient('alice')).visit('/-/login')
  t.equal(rogue.status, 400)
  t.match(rogue.text, 'not issued by an authority that this gateway trusts')
  const none = await new Surfer(house).visit('/-/login')
  t.equal(none.status, 400)
  t.match(none.text, 'A client certificate is needed here')
  const program = await house.ask('/dicom-web/studies', { headers: curl })
  t.equal(program.status, 400)
  t.match(problem(program), { reason: 'certificate-missing' })
  t.equal(program.headers['www-authenticate'], undefined)
  t.equal(
    (await new Surfer(house, await house.authority.client('ct-scanner-1')).visit('/viewer')).text,
    'upstream for ct-scanner-1',
  )
})

t.test('a fault names the server, never its address, in both shapes', async t => {
  const house = await startHouse(t)
  const cases: [path: string, status: number, retry: string | undefined, text: RegExp][] = [
    ['/fault/upstream-unreachable/orthanc', 502, undefined, /cannot be reached/],
    ['/fault/upstream-timeout/orthanc', 504, undefined, /took too long/],
    ['/fault/upstream-busy/orthanc', 503, '5', /more work than it can take/],
    ['/fault/viewer-missing/viewer', 503, '30', /sallyport viewer install/],
    ['/fault/state-unavailable', 503, '30', /own records/],
    ['/fault/bug', 500, undefined, /Something went wrong/],
  ]
  for (const [path, status, retry, text] of cases) {
    const page = await new Surfer(house).visit(path)
    t.equal(page.status, status, path)
    t.equal(page.headers['retry-after'], retry, path)
    t.match(page.text, text)
    t.match(page.text, page.headers['x-request-id'] ?? 'missing')
    t.notMatch(page.text, /10\.9\.8\.7|http:/)
    const program = await house.ask(path, { headers: curl })
    t.equal(program.status, status)
    const name = path.split('/')[3]
    t.match(problem(program), { reason: path.split('/')[2], status, ...(name && { upstream: name }) })
    t.notMatch(program.text, /10\.9\.8\.7|http:/)
  }
})

t.test('OMERO.web that cannot be reached is shown as maintenance, and the page comes back by itself', async t => {
  const house = await startHouse(t)
  const page = await new Surfer(house).visit('/fault/upstream-unreachable/omero')
  t.equal(page.status, 502)
  t.equal(page.headers['retry-after'], '30')
  t.match(page.text, 'OMERO.web is not available at the moment')
  t.match(page.text, '<meta http-equiv="refresh" content="30">')
  const post = await new Surfer(house).visit('/fault/upstream-unreachable/omero', {
    method: 'POST',
    headers: { origin: house.url },
    body: 'x',
  })
  t.notMatch(post.text, 'http-equiv="refresh"', 'a form is not sent again by itself')
})

t.test('what cannot be read, does not exist, or cannot be done is said in both shapes', async t => {
  const house = await startHouse(t)
  const surfer = new Surfer(house)
  const cases: [path: string, method: string, status: number, reason: string][] = [
    ['/a%2fb', 'GET', 400, 'bad-request'],
    ['/-/nothing', 'GET', 404, 'not-found'],
    ['/-/board', 'GET', 404, 'not-found'],
    ['/-/constructor', 'GET', 404, 'not-found'],
    ['/wrong-name', 'GET', 421, 'misdirected'],
    ['/-/home', 'POST', 405, 'method-not-allowed'],
    ['/-/login', 'DELETE', 405, 'method-not-allowed'],
  ]
  for (const [path, method, status, reason] of cases) {
    const page = await surfer.visit(path, { method, headers: { origin: house.url } })
    t.equal(page.status, status, path)
    t.match(page.headers['content-type'], /^text\/html/)
    const program = await house.ask(path, { method, headers: curl })
    t.equal(program.status, status, path)
    t.match(problem(program), { reason })
  }
  t.equal((await house.ask('/-/login', { method: 'DELETE', headers: curl })).headers['allow'], 'GET, HEAD, POST')
})
