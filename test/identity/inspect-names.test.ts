// Where names are in small letters, `check` says which accounts and rules nobody can be meant by any more.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseConfig } from '../../src/config/load.ts'
import { inspectNames } from '../../src/identity/inspect-names.ts'
import { openLocalAccounts } from '../../src/identity/local-accounts.ts'
import { inspectLoaded } from '../../src/preflight.ts'
import { startAuthority } from '../fixture/authority.ts'
import { movedClock } from './moved-clock.ts'

const access = [
  { people: ['Alice', 'bob'], may: 'read' as const, dangerous: false },
  { people: ['CT-1'], may: 'read' as const, dangerous: false, proof: ['certificate' as const] },
  { people: ['CT-2'], may: 'read' as const, dangerous: false, realms: ['staff'] },
  { people: ['Dora'], may: 'read' as const, dangerous: false, realms: ['staff', 'directory'] },
]

t.test('names with capitals are told, those that certificates may bear are not', async t => {
  const said: string[] = []
  inspectNames(
    {
      accounts: [{ name: 'admin' }, { name: 'Root' }, { name: 'jose\u0301' }],
      routes: [{ access: 'everyone' }, { access }],
    },
    (...path) =>
      (key, message, severity) =>
        said.push(`${severity} ${[...path, key].join('.')}: ${/"[^"]+"/.exec(message)?.[0]}`),
  )
  t.same(said, [
    'warning realms.ignoreCase: "Root"',
    'warning realms.ignoreCase: "jose\u0301"',
    'warning routes.1.access.0.people: "Alice"',
    'warning routes.1.access.3.people: "Dora"',
  ])
})

t.test('check finds them in users.yaml and in the rules, only with ignoreCase, and starts all the same', async t => {
  const authority = await startAuthority(t)
  const { certFile, keyFile } = await authority.server(['localhost'])
  const dir = t.testdir({})
  const accounts = openLocalAccounts({ file: join(dir, 'users.yaml'), clock: movedClock() })
  await accounts.add({ name: 'Root', groups: [], password: 'root pass-word' })
  const told = (ignoreCase: boolean) => {
    const yaml = `listeners: { web: { bind: "127.0.0.1:0", keystore: { certificate: "${certFile}", key: "${keyFile}" } } }
realms: { ignoreCase: ${ignoreCase}, local: { file: users.yaml } }
upstreams: { app: { kind: generic, url: "http://127.0.0.1:1" } }
routes: [{ path: /, upstream: app, access: [{ people: [Root], may: read }] }]
`
    writeFileSync(join(dir, 'sallyport.yaml'), yaml)
    const { materials, problems } = inspectLoaded(parseConfig(yaml, dir), {}, Date.now())
    t.ok(materials)
    return problems.map(({ line, severity, message }) => `${line} ${severity} ${message.slice(0, 60)}`)
  }
  t.same(told(false), [])
  t.same(told(true), [
    '2 warning nobody can sign in as the local account "Root": with ignoreC',
    '4 warning nobody signs in as "Root": with ignoreCase names are in smal',
  ])
})
