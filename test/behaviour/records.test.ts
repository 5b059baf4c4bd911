// One number follows a request everywhere, and the audit trail holds what someone may have to answer for, and no more.
import { mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { TestGateway } from '../fixture/gateway.ts'
import { json } from '../fixture/upstream-answers.ts'
import { protocols, startApp, within } from './app.ts'

const people = {
  alice: { password: 'alice-password', groups: ['radiology'] },
  keeper: { password: 'keeper-password', groups: ['pacs-admins'] },
}
const routes = `
realms: { basic: true, local: { file: state-users.yaml } }
routes:
  - path: /
    upstream: app
    access:
      - { groups: [pacs-admins], may: everything }
      - { groups: [radiology], may: read }`

const startArchive = (t: Test, more: { readonly yaml?: string; readonly clock?: { now(): number } } = {}) =>
  startApp(t, undefined, { kind: 'orthanc', accounts: people, ...more, yaml: `${routes}\n${more.yaml ?? ''}` })

/** Without what changes from run to run; lines of start left out. */
const facts = (gateway: TestGateway) =>
  gateway
    .audit()
    .filter(({ kind }) => kind !== 'start')
    .map(({ time, id, ...rest }) => rest)

const alice = { name: 'alice', realm: 'local', proof: 'password' }
const keeper = { ...alice, name: 'keeper' }

for (const protocol of protocols) {
  t.test(
    `over ${protocol} the number of a request is the same to client, upstream, log and audit trail, and ours`,
    async t => {
      const { gateway, upstream } = await startArchive(t)
      const answer = await gateway.ask('/studies/1.2.3', {
        protocol,
        basic: 'alice:alice-password',
        headers: { 'x-request-id': 'mine', x_request_id: 'mine' },
      })
      const id = answer.headers['x-request-id'] ?? ''
      t.match(id, /^[0-9a-f-]{36}$/)
      t.same(
        upstream.received[0]?.rawHeaders.filter(([name]) => /^x.request.id$/i.test(name)),
        [['x-request-id', id]],
      )
      t.ok(await within(1_000, () => gateway.log().some(line => line['id'] === id && line['message'] === 'exchange')))
      t.match(
        gateway.log().find(line => line['id'] === id),
        { user: 'alice', status: 200, path: '/studies/1.2.3', route: 'routes[0]' },
      )
      t.ok(await within(1_000, () => gateway.audit().some(line => line['kind'] === 'study' && line['id'] === id)))

      const denied = await gateway.ask('/studies/1', { protocol, headers: { 'x-request-id': 'mine' } })
      t.equal(JSON.parse(denied.text).requestId, denied.headers['x-request-id'])
      t.not(denied.headers['x-request-id'], id)
      const page = await gateway.ask('/x', {
        protocol,
        method: 'DELETE',
        basic: 'alice:alice-password',
        headers: { 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'same-origin' },
      })
      t.match(page.text, page.headers['x-request-id'] ?? 'none', 'a page shows it too')
    },
  )
}

t.test('reading a hundred frames of a study is one line, and the next one comes after the window', async t => {
  let shift = 0
  const { gateway } = await startArchive(t, { clock: { now: () => Date.now() + shift } })
  const read = (path: string, name: 'alice' | 'keeper' = 'alice') =>
    gateway.ask(path, { basic: `${name}:${people[name].password}` })
  for (let frame = 1; frame <= 100; frame++) await read(`/studies/1.2.3/series/4/instances/5/frames/${frame}`)
  const where = { method: 'GET', path: '/studies/1.2.3/series/4/instances/5/frames/1', route: 'routes[0]' }
  t.ok(await within(1_000, () => facts(gateway).length > 0))
  t.same(facts(gateway), [{ kind: 'study', who: alice, study: '1.2.3', address: '127.0.0.1', where }])

  await read('/studies/1.2.3/metadata', 'keeper')
  await read('/wado?requestType=WADO&studyUID=9.8.7&objectUID=1')
  await read('/studies?PatientName=X*')
  t.ok(await within(1_000, () => facts(gateway).length === 3))
  t.same(
    facts(gateway)
      .slice(1)
      .map(({ who, study }) => ({ who, study })),
    [
      { who: keeper, study: '1.2.3' },
      { who: alice, study: '9.8.7' },
    ],
  )
  shift = 61 * 60_000
  await read('/studies/1.2.3/metadata')
  t.ok(await within(1_000, () => facts(gateway).length === 4))
  t.match(facts(gateway).at(-1), { kind: 'study', who: alice, study: '1.2.3' })
})

t.test('sign-in, wrong sign-in, sign-out, denial, change and deletion each have their line', async t => {
  const { gateway } = await startArchive(t)
  await t.rejects(gateway.signIn('alice', 'a-wrong-one'))
  const cookie = await gateway.signIn('alice', 'alice-password')
  const form = await gateway.ask('/-/logout', { cookie, headers: { accept: 'text/html' } })
  await gateway.ask('/-/logout', {
    method: 'POST',
    cookie: [cookie, ...form.cookies.map(line => line.split(';')[0])].join('; '),
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: gateway.url },
    body: new URLSearchParams({ token: /name="token" value="([^"]+)"/.exec(form.text)?.[1] ?? '' }).toString(),
  })
  await gateway.ask('/instances', { method: 'POST', body: 'x', basic: 'alice:alice-password' })
  await gateway.ask('/instances', { method: 'POST', body: 'x', basic: 'alice:alice-password' })
  await gateway.ask('/instances', { method: 'POST', body: 'x', basic: 'keeper:keeper-password' })
  await gateway.ask('/studies/abcd', { method: 'DELETE', basic: 'keeper:keeper-password' })
  // Where care goes on whatever the trail does, nobody waits for its lines.
  t.ok(await within(1_000, () => facts(gateway).some(({ kind }) => kind === 'deletion')))
  const address = '127.0.0.1'
  t.match(facts(gateway), [
    { kind: 'login-refused', claimed: 'alice', reason: 'wrong-credentials', address },
    { kind: 'login', who: alice, address },
    { kind: 'logout', who: { name: 'alice', proof: 'session' }, address },
    {
      kind: 'denial',
      who: alice,
      reason: 'not-permitted',
      address,
      where: { method: 'POST', path: '/instances', route: 'routes[0]' },
    },
    { kind: 'change', who: keeper, address, where: { method: 'POST', path: '/instances', route: 'routes[0]' } },
    { kind: 'deletion', who: keeper, address, where: { method: 'DELETE', path: '/studies/abcd', route: 'routes[0]' } },
  ])
  t.equal(facts(gateway).length, 6, 'and the same denial within a minute has no second one')
  for (const { time, id } of gateway.audit()) {
    t.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    t.type(id, 'string')
  }
  t.equal(statSync(join(gateway.dir, 'state', 'audit.jsonl')).mode & 0o777, 0o600, 'only its owner may read it')
  t.notMatch(
    JSON.stringify([gateway.audit(), gateway.log()]),
    /alice-password|keeper-password|a-wrong-one/,
    'no password is in it',
  )
})

/** In place of the file stands a folder: nothing can be written there. */
function breakTrail({ dir }: TestGateway): void {
  const file = join(dir, 'state', 'audit.jsonl')
  rmSync(file)
  mkdirSync(file)
}

t.test('where the audit trail may not fail, nothing is forwarded that cannot be recorded', async t => {
  const { gateway, upstream } = await startArchive(t, { yaml: 'audit: { onFailure: refuse }' })
  t.equal((await gateway.ask('/studies/1.2.3', { basic: 'alice:alice-password' })).status, 200)
  breakTrail(gateway)
  const before = upstream.received.length
  const answer = await gateway.ask('/studies/4.5.6', { basic: 'alice:alice-password' })
  t.equal(answer.status, 503)
  t.match(JSON.parse(answer.text), { reason: 'audit-unavailable' })
  t.equal((await gateway.ask('/studies/4.5.6', { method: 'DELETE', basic: 'keeper:keeper-password' })).status, 503)
  t.equal(upstream.received.length, before)
  await t.rejects(gateway.signIn('alice', 'alice-password'), /503/, 'nor does anybody sign in')

  rmSync(join(gateway.dir, 'state', 'audit.jsonl'), { recursive: true })
  t.equal((await gateway.ask('/studies/7.8.9', { basic: 'alice:alice-password' })).status, 200, 'it recovers by itself')
  t.match(facts(gateway), [{ kind: 'study', study: '7.8.9' }])
})

t.test('elsewhere care goes on and the alarm is raised', async t => {
  const { gateway } = await startArchive(t)
  await gateway.ask('/studies/1.2.3', { basic: 'alice:alice-password' })
  t.ok(await within(1_000, () => facts(gateway).length > 0))
  breakTrail(gateway)
  t.equal((await gateway.ask('/studies/4.5.6', { basic: 'alice:alice-password' })).status, 200)
  t.ok(
    await within(1_000, () =>
      gateway
        .log()
        .some(({ level, message }) => level === 'error' && /audit trail cannot be written/.test(String(message))),
    ),
  )
  rmSync(join(gateway.dir, 'state', 'audit.jsonl'), { recursive: true })
})

t.test('what an application behind an open route does is recorded without a name', async t => {
  const { gateway } = await startApp(t, () => json({}), { kind: 'orthanc' })
  await gateway.ask('/instances', { method: 'POST', body: 'x' })
  t.ok(await within(1_000, () => facts(gateway).length > 0))
  t.same(facts(gateway), [
    { kind: 'change', address: '127.0.0.1', where: { method: 'POST', path: '/instances', route: 'routes[0]' } },
  ])
})
