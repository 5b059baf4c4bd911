// P01: Orthanc's web server drops dots at the end of a segment, so that "/tools/reset." is "/tools/reset" to Orthanc and
// was something harmless to the rules. Against a real one: such a path reaches nobody.
import { connect, createServer } from 'node:net'
import t, { type Test } from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { orthancTools, startOrthanc } from '../fixture/orthanc.ts'
import { requireReal } from '../fixture/real.ts'
import { head, statuses, stillAnswers, talk, webSocketLines } from './raw-request.ts'

if (!requireReal(t, orthancTools)) process.exit(0)

const orthanc = await startOrthanc(t, { extra: { ExecuteLuaEnabled: true } })

/** Between gateway and Orthanc, because what Orthanc logs does not show what it was sent. */
async function startWire(t: Pick<Test, 'teardown'>): Promise<{ readonly url: string; asked(): string }> {
  const parts: Buffer[] = []
  const server = createServer(near => {
    const far = connect(orthanc.port, '127.0.0.1')
    near.on('data', part => parts.push(part))
    near.on('error', () => far.destroy()).on('close', () => far.destroy())
    far.on('error', () => near.destroy()).on('close', () => near.destroy())
    near.pipe(far).pipe(near)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  return { url: `http://127.0.0.1:${port}`, asked: () => Buffer.concat(parts).toString('latin1') }
}

const wire = await startWire(t)
const gateway = await startTestGateway(t, {
  accounts: { alice: { password: 'correct horse', groups: ['radiology'] } },
  yaml: `
upstreams: { orthanc: { kind: orthanc, url: "${wire.url}" } }
routes:
  - { path: /, upstream: orthanc, access: [{ groups: [radiology], may: everything }] }
  - { path: /orthanc, upstream: orthanc, strip: true, access: [{ groups: [radiology], may: everything }] }
  - { path: /patients, upstream: orthanc, access: [{ groups: [admins], may: everything }] }
`,
})
const basic = 'alice:correct horse'
const direct = async (path: string, method = 'GET', body?: string) => {
  const answer = await fetch(`${orthanc.url}${path}`, { method, ...(body === undefined ? {} : { body }) })
  return { status: answer.status, text: await answer.text() }
}

t.test('this Orthanc does not see the dots, so there is something to guard', async t => {
  for (const path of ['/tools/now.', '/tools./now', '/tools.../now', '/tools/now%2e', '/tools/now..']) {
    t.match(await direct(path), { status: 200, text: /^\d{8}T\d{6}$/ }, path)
  }
  t.match(await direct('/modalities.'), { status: 200, text: /^\[/ })
  t.match(await direct('/dicom-web/servers.'), { status: 200, text: /^\[/ })
  t.match(await direct('/tools/execute-script.', 'POST', 'print(6 * 7)'), { status: 200, text: /^42/ })
})

t.test('the same paths without a dot go through or are refused by the rules', async t => {
  t.equal((await gateway.ask('/tools/now', { basic })).status, 200)
  t.equal((await gateway.ask('/orthanc/tools/now', { basic })).status, 200)
  for (const path of ['/modalities', '/peers?expand', '/dicom-web/servers', '/patients']) {
    t.equal((await gateway.ask(path, { basic })).status, 403, path)
  }
  for (const path of ['/tools/execute-script', '/tools/shutdown']) {
    t.equal((await gateway.ask(path, { basic, method: 'POST', body: 'print(1)' })).status, 403, path)
  }
})

const asked: readonly (readonly [method: string, path: string])[] = [
  ...['/tools/now.', '/tools./now', '/tools.../now', '/.../tools/now', '/tools/now..', '/tools/now./'].map(
    path => ['GET', path] as const,
  ),
  ...[
    '/tools/now%2e',
    '/tools%2E/now',
    '/tools/now.%2e',
    '/%2e%2e%2e/tools/now',
    '/tools/now.;x=1',
    '/tools/now.%3b',
  ].map(path => ['GET', path] as const),
  ...['/modalities.', '/modalities./', '/peers.?expand', '/queries.', '/dicom-web/servers.', '/dicom-web./servers'].map(
    path => ['GET', path] as const,
  ),
  ...['/patients.', '/patients../', '/patients%2e', '/orthanc/modalities.', '/orthanc./modalities'].map(
    path => ['GET', path] as const,
  ),
  ['POST', '/tools/execute-script.'],
  ['POST', '/tools./execute-script'],
  ['POST', '/orthanc/tools/execute-script.'],
  ['POST', '/tools/shutdown.'],
  ['POST', '/tools/reset.'],
  ['PUT', '/tools/log-level.'],
  ['DELETE', '/modalities./x'],
]

for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
  t.test(`over ${protocol} a path with dots at the end of a segment is refused and reaches nobody`, async t => {
    const before = wire.asked()
    for (const [method, path] of asked) {
      const { status } = await gateway.ask(path, { method, protocol, basic, ...(method === 'GET' ? {} : { body: '' }) })
      t.equal(status, 400, `${method} ${path}`)
    }
    t.equal(wire.asked(), before, 'not a byte arrived')
    t.equal((await direct('/tools/now')).status, 200, 'Orthanc still runs')
    await stillAnswers(t, gateway)
  })
}

t.test('nor does a WebSocket handshake', async t => {
  const before = wire.asked()
  const lines = [...webSocketLines, `Authorization: Basic ${Buffer.from(basic).toString('base64')}`]
  for (const path of ['/tools/now.', '/modalities.', '/patients.']) {
    const { text } = await talk(gateway, head(gateway, `GET ${path} HTTP/1.1`, lines), { until: '\r\n\r\n' })
    t.same(statuses(text), [400], path)
  }
  t.equal(wire.asked(), before)
})

t.test('a dot that is not at the end is a character like any other', async t => {
  for (const path of ['/app/explorer.html', '/tools/.now', '/tools/..now']) {
    const { status } = await gateway.ask(path, { basic })
    t.equal(status, path.startsWith('/app') ? 200 : 404, path)
  }
})
