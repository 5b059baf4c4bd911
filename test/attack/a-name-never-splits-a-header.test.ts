// S04: a name or group with line ends, separators or foreign letters stays one name at the upstream.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseAccounts } from '../../src/identity/account-file.ts'
import { within } from '../behaviour/app.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { stillAnswers, valuesOf } from './raw-request.ts'

const upstream = await startUpstream(t)

/** Name -> what an upstream reads. */
const written: Readonly<Record<string, string>> = {
  alice: 'alice',
  'alice ': 'alice%20',
  ' alice': '%20alice',
  '  alice  ': '%20%20alice%20%20',
  'alice,admin': 'alice%2Cadmin',
  'alice|admin': 'alice%7Cadmin',
  'alice%2Cadmin': 'alice%252Cadmin',
  'alice"admin"': 'alice%22admin%22',
  'Müller, Jörg': 'M%C3%BCller%2C J%C3%B6rg',
  'а\u0301lice': '%D0%B0%CC%81lice',
  'alice\u2028X-Remote-User': 'alice%E2%80%A8X-Remote-User',
  李雷: '%E6%9D%8E%E9%9B%B7',
}
const names = Object.keys(written)
/** Checking a password is slow on purpose: these have accounts, the rest are names of groups only. */
const accounts = ['alice ', ' alice', 'alice,admin', 'Müller, Jörg']

const gateway = await startTestGateway(t, {
  accounts: Object.fromEntries(
    accounts.map(name => [name, { password: 'correct horse', groups: [...names, 'second, third', ' admins '] }]),
  ),
  yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]
`,
})

t.test('every account is one name and its own groups, by Basic', async t => {
  for (const name of accounts) {
    const { status } = await gateway.ask('/who', { basic: `${name}:correct horse` })
    t.equal(status, 200, `a name that is written ${written[name]}`)
    const request = upstream.received.at(-1)
    if (request === undefined) throw new Error('nothing arrived')
    t.same(valuesOf(request, 'x-remote-user'), [written[name]])
    const [groups = ''] = valuesOf(request, 'x-remote-groups')
    t.same(groups.split(','), [...Object.values(written), 'second%2C third', '%20admins%20'])
    t.same(groups.split(',').map(decodeURIComponent), [...names, 'second, third', ' admins '])
  }
  t.same(upstream.malformed, [])
})

t.test('a certificate with such a name is one name', async t => {
  for (const name of [
    'alice,admin',
    'alice/CN=admin',
    'CN=admin',
    'Müller, Jörg',
    'alice+CN=admin',
    'alice#"admin"\\',
  ]) {
    const client = await gateway.authority.client(name)
    const { status } = await gateway.ask('/who', { client })
    t.equal(status, 200, name)
    const request = upstream.received.at(-1)
    const [user = ''] = request === undefined ? [] : valuesOf(request, 'x-remote-user')
    t.match(user, /^[A-Za-z0-9\-._@ %]+$/)
    t.equal(decodeURIComponent(user), name)
    t.same(request && valuesOf(request, 'x-remote-proof'), ['certificate'])
  }
  await stillAnswers(t, gateway)
})

t.test('a name with a control character is nobody’s, however it came', async t => {
  const from = upstream.received.length
  for (const bad of ['alice\r\nX-Remote-User: admin', 'alice\n', 'alice\0', 'ali\tce', 'alice\u0085']) {
    const { status } = await gateway.ask('/who', { basic: `${bad}:correct horse` })
    t.equal(status, 401, JSON.stringify(bad))
    const file = `accounts:\n  - ${JSON.stringify({ name: bad, groups: [], password: 'x', createdAt: '2026-01-01T00:00:00Z' })}\n`
    t.throws(() => parseAccounts(file, 'users.yaml'), 'the file of accounts takes no such name')
  }
  t.equal(upstream.received.length, from, 'nothing arrived')
})

t.test('what was typed as a name is one line in the log and the audit trail', async t => {
  const lines = () => [...gateway.log(), ...gateway.audit()].length
  const before = lines()
  await gateway.ask('/who', { basic: 'eve", "user": "admin:wrong' })
  t.ok(await within(5_000, () => lines() > before))
  for (const line of gateway.audit()) t.not(line['user'], 'admin')
})

t.test('a file of accounts that was broken by hand lets nobody in, and nothing arrives', async t => {
  const other = await startTestGateway(t, {
    accounts: { alice: { password: 'correct horse' } },
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]
`,
  })
  const from = upstream.received.length
  writeFileSync(join(other.dir, 'state-users.yaml'), 'accounts: [{ name: "alice\\r\\nx" }]\n')
  const { status, text } = await other.ask('/who', { basic: 'alice:correct horse' })
  t.equal(status, 503)
  t.notMatch(text, other.dir)
  t.equal(upstream.received.length, from)
})
