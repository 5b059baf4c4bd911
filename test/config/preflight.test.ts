/**
 * All files that a configuration names, read before anything is bound: every problem under its key and line.
 */

import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseConfig } from '../../src/config/load.ts'
import { inspect } from '../../src/preflight.ts'
import { startAuthority } from '../fixture/authority.ts'
import { requireRoot } from '../fixture/real.ts'
import { problemText } from './written.ts'

t.test('preflight', async t => {
  const authority = await startAuthority(t)
  const server = await authority.server(['localhost'])
  const other = await authority.server(['other'])
  const client = await authority.client('gateway', { p12Password: 'sesame' })
  const dir = t.testdir({ 'empty.pem': '', 'no-users.yaml': 'users: 5\n', viewer: { 'index.html': '<!doctype html>' } })
  const put = (name: string, text: string, mode = 0o600) => {
    writeFileSync(join(dir, name), text)
    chmodSync(join(dir, name), mode)
  }
  put('server.pem', server.chainPem)
  put('server.key', server.keyPem)
  put('other.key', other.keyPem)
  put('open.key', server.keyPem, 0o644)
  put('ca.pem', authority.caPem)
  put('secret', 'sesame\n')
  put('open-secret', 'sesame\n', 0o604)
  put('wrong', 'open barley')
  put('blank', '\n')

  function look(yaml: string, env: NodeJS.ProcessEnv = {}) {
    const loaded = parseConfig(yaml, dir)
    if (!loaded.ok) throw new Error(loaded.problems.map(problemText).join('\n'))
    const { materials, problems } = inspect(loaded.config, loaded.locate, env, Date.now())
    return {
      materials,
      said: problems.map(problem => `${problem.line}: ${problemText(problem)}`.replaceAll(dir, 'DIR')),
    }
  }
  const web = 'listeners:\n  web: { bind: "127.0.0.1:0", keystore: { certificate: server.pem, key: server.key } }\n'

  await t.test('hands over what the files held when all is well', async t => {
    const { materials, said } = look(
      `listeners:
  web:
    bind: "127.0.0.1:0"
    keystore: { certificate: ${client.p12File}, password: { file: secret } }
    clients: { certificate: required, truststore: ca.pem }
  plain: { bind: "127.0.0.1:0", redirect: web }
upstreams:
  pacs: { kind: generic, url: "https://pacs.example.org", tls: { ca: ca.pem }, credentials: { username: u, password: { env: PACS } } }
  viewer: { kind: ohif, root: viewer }
realms: { directory: { enabled: true, urls: "ldaps://localhost", username: cn=r, password: { file: secret }, tls: { ca: ca.pem } } }
`,
      { PACS: 'from the environment' },
    )
    t.same(said, [])
    t.same([...(materials?.listeners.keys() ?? [])], ['web'])
    t.equal(materials?.listeners.get('web')?.truststore?.authorities.size, 1)
    t.equal(materials?.upstreamPasswords.get('pacs')?.reveal(), 'from the environment')
    t.equal(materials?.directoryPassword?.reveal(), 'sesame', 'without the line break of the editor')
    t.match(materials?.upstreamTrust.get('pacs')?.authorities?.place, /ca\.pem$/)
  })

  await t.test('tells every problem at once, under its key and line', async t => {
    const { materials, said } = look(`listeners:
  web:
    bind: "127.0.0.1:0"
    tls: { ciphers: NOSUCH }
    keystore: { certificate: server.pem, key: other.key }
    clients: { certificate: optional, truststore: empty.pem }
  second:
    bind: "127.0.0.1:0"
    keystore: { certificate: nowhere.pem, key: server.key }
  third:
    bind: "127.0.0.1:0"
    keystore:
      certificate: ${client.p12File}
      password: { file: wrong }
upstreams:
  a: { kind: generic, url: "https://a", tls: { ca: none.pem }, credentials: { username: u, password: { env: UNSET } } }
  viewer: { kind: ohif, root: nowhere }
realms:
  directory:
    enabled: true
    urls: ldaps://localhost
    username: cn=r
    password: { file: blank }
    userFilter: "(unbalanced"
  local: { file: no-users.yaml }
`)
    t.equal(materials, undefined)
    t.match(said, [
      '4: listeners.web.tls.ciphers: OpenSSL knows no "NOSUCH"; check its spelling',
      '5: listeners.web.keystore.key: the key does not belong to this certificate',
      /^6: listeners\.web\.clients\.truststore: DIR\/empty\.pem holds no certificate/,
      '9: listeners.second.keystore.certificate: there is no file DIR/nowhere.pem',
      '14: listeners.third.keystore.password: the password does not open this PKCS#12 file',
      '16: upstreams.a.tls.ca: there is no file DIR/none.pem',
      '16: upstreams.a.credentials.password: the environment variable UNSET is not set',
      /^17: upstreams\.viewer\.root: there is no viewer in DIR\/nowhere.*sallyport viewer install/,
      /^23: realms\.directory\.password: this password is empty/,
      /^24: realms\.directory\.userFilter: /,
      /^25: realms\.local\.file: /,
    ])
    t.equal(said.length, 11)
    t.notMatch(said.join(), /sesame|open barley/)
  })

  await t.test('warns of keys and secrets that others may read, and starts nevertheless', async t => {
    const { materials, said } = look(
      `${web.replace('server.key', 'open.key')}upstreams:\n  a: { kind: generic, url: "http://localhost", credentials: { username: u, password: { file: open-secret } } }\n`,
    )
    t.match(said, [
      /^2: warning: listeners\.web\.keystore\.key: DIR\/open\.key holds a private key and others may read it \(mode 0644\); chmod 600$/,
      /^4: warning: upstreams\.a\.credentials\.password: DIR\/open-secret holds a secret and others may read it \(mode 0604\)/,
    ])
    t.ok(materials)
  })

  await t.test('a module that others may write would run with our rights, and is refused', async t => {
    put('groups.mjs', 'export default () => []\n', 0o644)
    put('open-groups.mjs', 'export default () => []\n', 0o664)
    const directory = (module: string) =>
      look(
        `${web}realms:\n  directory:\n    enabled: true\n    syncOnLogin: true\n    urls: ldaps://localhost\n    newUserGroup: ":bean:${module}"\n`,
      )
    t.same(directory('groups.mjs').said, [])
    t.match(directory('open-groups.mjs').said, [
      /realms\.directory\.newUserGroup: others may write DIR\/open-groups\.mjs.*chmod go-w/,
    ])
    t.match(directory('missing.mjs').said, [/newUserGroup: there is no file DIR\/missing\.mjs/])
    t.equal(directory('missing.mjs').materials, undefined)
  })

  await t.test('tells owner and mode of a file that this account may not read', async t => {
    if (!requireRoot(t, 'to become an account that may not read')) return
    // Root reads everything: the check runs as nobody, in a folder that nobody may enter.
    mkdirSync(join(dir, 'closed'), { mode: 0o755 })
    chmodSync(dir, 0o755)
    put('closed/server.key', server.keyPem, 0o640)
    put('server.pem', server.chainPem, 0o644)
    const program = `
      import { readKeystore } from ${JSON.stringify(join(import.meta.dirname, '../../src/tls/keystore.ts'))}
      process.setgid(65534); process.setgroups([]); process.setuid(65534)
      readKeystore({ certificate: 'server.pem', key: 'closed/server.key' }, Date.now(), (key, said) => console.log(key, said))`
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: dir,
      encoding: 'utf8',
    })
    t.equal(stdout.trim(), 'key this account may not read closed/server.key (owner 0, mode 0640)', stderr)
  })
})
