import { checkServerIdentity } from 'node:tls'
import t from 'tap'
import { Secret } from '../../src/kernel/secret.ts'
import type { PeerTrust } from '../../src/tls/peer-trust.ts'
import { startAuthority } from '../fixture/authority.ts'
import { requireReal } from '../fixture/real.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { directoryOf } from './settings.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const authority = await startAuthority(t)
const rogue = await startAuthority(t)
const pair = await authority.server(['ldap.lab.test'], ['127.0.0.1'])
const slapd = await startSlapd(t, { tls: { cert: pair.chainPem, key: pair.keyPem, ca: authority.caPem } })

const overTls = (trust: PeerTrust | undefined) =>
  directoryOf(slapd, { urls: [slapd.ldapsUrl] }, { password: new Secret(slapd.reader.password), trust })

t.test('over ldaps a directory with a certificate of the right authority answers', async t => {
  const directory = overTls({ ca: authority.caPem })
  await directory.probe()
  t.match(await directory.find('alice'), { kind: 'found', entry: { name: 'alice' } })
})

t.test(
  'a certificate of another authority, or one that only the test knows, is not believed, and nothing is bound',
  async t => {
    const before = slapd.operations().binds
    for (const trust of [{ ca: rogue.caPem }, undefined]) {
      await t.rejects(overTls(trust).find('alice'), { code: 'directory-unavailable' })
    }
    t.equal(slapd.operations().binds, before)
  },
)

t.test('the name in the certificate is checked, also one that is not the host', async t => {
  const named = (name: string): PeerTrust => ({
    ca: authority.caPem,
    servername: name,
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
  })
  await overTls(named('ldap.lab.test')).probe()
  await t.rejects(overTls(named('other.lab.test')).probe(), { code: 'directory-unavailable' })
  await t.rejects(overTls(named('127.0.0.2')).probe(), { code: 'directory-unavailable' })
})
