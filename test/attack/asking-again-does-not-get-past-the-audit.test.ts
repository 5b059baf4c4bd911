// Where the audit trail may not fail, what could not be recorded has not been told: asking again is refused again. And the
// trail itself cannot be flooded: denials of one address, made-up names and endless paths leave a bounded number of lines.
import { mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { stillAnswers } from './raw-request.ts'

const alice = 'alice:correct horse'
const bob = 'bob:correct horse'

async function startArchive(t: Pick<Test, 'teardown' | 'fail'>, audit: string) {
  const upstream = await startUpstream(t)
  const gateway = await startTestGateway(t, {
    accounts: {
      alice: { password: 'correct horse', groups: ['radiology'] },
      bob: { password: 'correct horse', groups: ['radiology'] },
    },
    yaml: `
audit: { onFailure: ${audit} }
upstreams: { app: { kind: orthanc, url: "${upstream.url}" } }
routes:
  - { path: /, upstream: app, access: [{ groups: [radiology], may: read }] }
`,
  })
  return { upstream, gateway }
}
const trailOf = ({ dir }: TestGateway) => join(dir, 'state', 'audit.jsonl')
/** In place of the file stands a folder: nothing can be written there. */
function breakTrail(gateway: TestGateway): void {
  rmSync(trailOf(gateway))
  mkdirSync(trailOf(gateway))
}
const repairTrail = (gateway: TestGateway) => rmSync(trailOf(gateway), { recursive: true })
const told = (gateway: TestGateway, kind: string) => gateway.audit().filter(line => line['kind'] === kind)

t.test('a study that could not be recorded is not shown, however often it is asked for', async t => {
  const { gateway, upstream } = await startArchive(t, 'refuse')
  breakTrail(gateway)
  for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
    for (const path of ['/studies/1.2.3', '/studies/1.2.3', '/studies/1.2.3/metadata', '/studies/1.2.3?again']) {
      const answer = await gateway.ask(path, { basic: alice, protocol })
      t.match(JSON.parse(answer.text), { status: 503, reason: 'audit-unavailable' }, `${path} over ${protocol}`)
    }
  }
  t.same(upstream.received, [], 'nothing arrived')

  repairTrail(gateway)
  t.equal((await gateway.ask('/studies/1.2.3', { basic: alice })).status, 200)
  t.equal((await gateway.ask('/studies/1.2.3/metadata', { basic: alice })).status, 200)
  t.match(told(gateway, 'study'), [{ study: '1.2.3', who: { name: 'alice' } }], 'it is recorded, and once')
  t.equal(upstream.received.length, 2)
})

t.test('nor for those who ask at the same time: all wait for the one line', async t => {
  const { gateway, upstream } = await startArchive(t, 'refuse')
  const cookie = await gateway.signIn('alice', 'correct horse')
  const askTogether = () =>
    Promise.all(Array.from({ length: 20 }, (_, at) => gateway.ask(`/studies/1.2.3/metadata?${at}`, { cookie })))
  breakTrail(gateway)
  t.same(new Set((await askTogether()).map(({ status }) => status)), new Set([503]))
  t.same(upstream.received, [], 'nothing arrived')
  repairTrail(gateway)
  t.same(new Set((await askTogether()).map(({ status }) => status)), new Set([200]))
  t.equal(told(gateway, 'study').length, 1)
})

t.test('what was recorded before the trail broke is shown on, and to its reader alone', async t => {
  const { gateway, upstream } = await startArchive(t, 'refuse')
  t.equal((await gateway.ask('/studies/1.2.3', { basic: alice })).status, 200)
  breakTrail(gateway)
  t.equal((await gateway.ask('/studies/1.2.3/series', { basic: alice })).status, 200)
  for (let times = 0; times < 2; times++) {
    t.equal((await gateway.ask('/studies/1.2.3', { basic: bob })).status, 503)
  }
  t.equal(upstream.received.length, 2)
  repairTrail(gateway)
})

t.test('a denial that could not be recorded is told once it can be', async t => {
  const { gateway } = await startArchive(t, 'refuse')
  breakTrail(gateway)
  for (let times = 0; times < 2; times++) {
    t.equal((await gateway.ask('/instances/1', { method: 'DELETE', basic: alice })).status, 503)
  }
  repairTrail(gateway)
  t.equal((await gateway.ask('/instances/1', { method: 'DELETE', basic: alice })).status, 403)
  t.match(told(gateway, 'denial'), [{ reason: 'not-permitted', who: { name: 'alice' } }])
})

t.test('where care goes on, what could not be recorded is told at the next use', async t => {
  const { gateway } = await startArchive(t, 'continue')
  breakTrail(gateway)
  t.equal((await gateway.ask('/studies/1.2.3', { basic: alice })).status, 200)
  for (const deadline = Date.now() + 2_000; Date.now() < deadline; ) {
    if (gateway.log().some(({ message }) => /audit trail cannot be written/.test(String(message)))) break
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  repairTrail(gateway)
  t.equal((await gateway.ask('/studies/1.2.3', { basic: alice })).status, 200)
  for (const deadline = Date.now() + 2_000; told(gateway, 'study').length === 0 && Date.now() < deadline; ) {
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  t.match(told(gateway, 'study'), [{ study: '1.2.3' }])
})

t.test('images are recorded by whatever names them', async t => {
  const { gateway } = await startArchive(t, 'refuse')
  const id = '5b1c2d3e-11111111-22222222-33333333-44444444'
  const rows: Readonly<Record<string, string>> = {
    [`/instances/${id}/file`]: `instances/${id}`,
    [`/series/${id}/archive`]: `series/${id}`,
    [`/patients/${id}/archive`]: `patients/${id}`,
    [`/studies/${id}/archive`]: id,
    '/dicom-web/studies/1.2.840.9/series/1/instances/2/frames/3': '1.2.840.9',
    '/wado?requestType=WADO&studyUID=1.2.3&seriesUID=4&objectUID=5': '1.2.3',
    '/wado?requestType=WADO&seriesUID=1.2.5': 'seriesUID 1.2.5',
    '/wado?requestType=WADO&objectUID=1.2.4': 'objectUID 1.2.4',
    '/wado?requestType=WADO&studyUID=&objectUID=1.2.6': 'objectUID 1.2.6',
    '/wado?requestType=WADO&%6fbject%55ID=1.2.7': 'objectUID 1.2.7',
    '/wado?requestType=WADO&objectUID=1.2.8&objectUID=1.2.9': 'objectUID 1.2.8 1.2.9',
  }
  for (const [path, study] of Object.entries(rows)) {
    const before = told(gateway, 'study').length
    t.equal((await gateway.ask(path, { basic: alice })).status, 200)
    t.match(told(gateway, 'study').slice(before), [{ study, who: { name: 'alice' } }], path)
  }
  for (const path of ['/studies', '/instances', '/system', '/dicom-web/studies?PatientID=1', '/wado']) {
    const before = told(gateway, 'study').length
    await gateway.ask(path, { basic: alice })
    t.equal(told(gateway, 'study').length, before, `${path} names none`)
  }
})

t.test('made-up names and endless paths of one address leave a bounded trail', async t => {
  const { gateway, upstream } = await startArchive(t, 'refuse')
  const endless = 'x'.repeat(50_000)
  const deny = async (at: number) => {
    const protocol = at % 2 === 0 ? 'HTTP/1.1' : 'HTTP/2'
    const { status } = await gateway.ask(`/${endless}`, { basic: `nobody-${at}-${'y'.repeat(100)}:x`, protocol })
    t.ok(status === 401 || status === 429, `${status}`)
  }
  for (let at = 0; at < 200; at += 10) await Promise.all(Array.from({ length: 10 }, (_, more) => deny(at + more)))
  t.same(upstream.received, [])
  const { size } = statSync(trailOf(gateway))
  t.ok(size < 200_000, `${size} bytes`)
  const denials = told(gateway, 'denial')
  t.ok(denials.length > 0 && denials.length <= 101, `${denials.length} denials were told`)
  t.match(denials.at(-1), { reason: 'throttled' }, 'and that it was too much, too')
  await stillAnswers(t, gateway)
})

t.test('nor do sign-ins on the login page that the throttle turns away', async t => {
  const { gateway } = await startArchive(t, 'refuse')
  const form = await gateway.ask('/-/login', { headers: { 'sec-fetch-mode': 'navigate', accept: 'text/html' } })
  const token = /name="token" value="([^"]+)"/.exec(form.text)?.[1] ?? ''
  const cookie = form.cookies.map(line => line.split(';')[0]).join('; ')
  const headers = { 'content-type': 'application/x-www-form-urlencoded', origin: gateway.url }
  const signIn = (name: string) =>
    gateway.ask('/-/login', {
      method: 'POST',
      cookie,
      headers,
      body: new URLSearchParams({ name, password: 'x', token }).toString(),
    })
  // One name: four failures are tried, everything after them is turned away.
  for (let at = 0; at < 4; at++) await signIn('nobody')
  for (let at = 0; at < 50; at++) t.equal((await signIn('nobody')).status, 429)
  t.equal(told(gateway, 'login-refused').length, 5, 'four that were tried, and once that it was too much')
})

t.test('nor do the words of endless paths alone fill it', async t => {
  const { gateway } = await startArchive(t, 'refuse')
  for (let at = 0; at < 100; at++) await gateway.ask(`/${at}${'x'.repeat(50_000)}`)
  t.ok(statSync(trailOf(gateway)).size < 20_000)
  t.equal(told(gateway, 'denial').length, 1, 'the same denial is told once')
})
