// D01; CVE-2026-41720 and its kin: a bind with a name and no password succeeds everywhere and proves nobody.
import t from 'tap'
import { Secret } from '../../src/kernel/secret.ts'
import { openServers } from '../../src/ldap/servers.ts'
import { startScriptedDirectory } from '../fixture/scripted-directory.ts'
import { serversOn } from '../ldap/servers-lab.ts'

t.test('D01: a password that is empty, blank or holds NUL is refused without a connection', async t => {
  // Everybody may come in here.
  const directory = await startScriptedDirectory(t)
  const servers = serversOn(t, [directory.url])
  for (const password of ['', ' ', '\t\r\n', '\u00a0', '\0', 'right\0', '\0right']) {
    const answer = await servers.bind('uid=alice,dc=lab,dc=test', password)
    t.match(answer, { right: false, why: /not sent/ }, JSON.stringify(password))
  }
  t.equal(directory.connections, 0)
  t.match(await servers.bind('uid=alice,dc=lab,dc=test', 'right'), { right: true })
})

t.test('D01: a reader without a name or a password is no reader', async t => {
  const open = (dn: string, password: string) => () =>
    openServers({
      addresses: [{ secure: false, host: '127.0.0.1', port: 9 }],
      reader: { dn, password: new Secret(password) },
      ...{ connectTimeout: 100, readTimeout: 100, trust: undefined, startTls: false, referral: 'ignore' },
    })
  for (const [dn, password] of [
    ['cn=reader', ''],
    ['cn=reader', ' '],
    ['', 'x'],
    [' ', 'x'],
  ] as const)
    t.throws(open(dn, password), { code: 'directory-misconfigured' })
})
