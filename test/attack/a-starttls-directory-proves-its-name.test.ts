// D07, D10: ldapts hands node:tls no name after StartTLS, and any certificate of the authority would do.
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { startScriptedDirectory } from '../fixture/scripted-directory.ts'
import { forUid, serversOn } from '../ldap/servers-lab.ts'
import { trustOf } from '../tls/trusted.ts'

const authority = await startAuthority(t)
const [mine, other] = [
  await authority.server(['localhost', 'ldap.lab.test']),
  await authority.server(['other.lab.test'], ['127.0.0.2']),
]

for (const ldaps of [false, true]) {
  const how = ldaps ? 'over ldaps' : 'after StartTLS'
  t.test(`D10: ${how} the certificate must be for the host of the URL, or for the name that was set`, async t => {
    const tried = async (pair: typeof mine, host: string, name?: string) => {
      const tls = { cert: pair.chainPem, key: pair.keyPem }
      const directory = await startScriptedDirectory(t, undefined, { tls, ldaps })
      const trust = trustOf({ ca: authority.caFile, ...(name !== undefined && { name }) })
      const servers = serversOn(t, [directory.url.replace('127.0.0.1', host)], { startTls: !ldaps, trust })
      const code = await servers.search(forUid('a')).then(
        () => 'believed',
        (cause: { code: string }) => cause.code,
      )
      const said = directory.requests.filter(({ operation }) => operation === 'bind' || operation === 'search')
      t.equal(said.length > 0, code === 'believed', `${host} ${name}`)
      return code
    }
    t.equal(await tried(mine, 'localhost'), 'believed')
    t.equal(await tried(mine, '127.0.0.1', 'ldap.lab.test'), 'believed')
    for (const [pair, host, name] of [
      [mine, '127.0.0.1'],
      [mine, '127.0.0.1', 'lab.test'],
      [mine, 'localhost', 'other.lab.test'],
      [other, 'localhost'],
      [other, '127.0.0.1'],
    ] as const)
      t.equal(await tried(pair, host, name), 'directory-misconfigured', `${host} ${name}`)
  })
}
