import t from 'tap'
import { causeLine } from '../../src/kernel/fault.ts'
import { Secret } from '../../src/kernel/secret.ts'
import type { PeerTrust } from '../../src/tls/peer-trust.ts'
import { startAuthority } from '../fixture/authority.ts'
import { requireReal } from '../fixture/real.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { sha256Of } from '../tls/peer-lab.ts'
import { trustOf } from '../tls/trusted.ts'
import { directoryOf } from './settings.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const authority = await startAuthority(t)
const rogue = await startAuthority(t)
const pair = await authority.server(['ldap.lab.test'], ['127.0.0.1'])
const slapd = await startSlapd(t, { tls: { cert: pair.chainPem, key: pair.keyPem, ca: authority.caPem } })

const overTls = (trust: PeerTrust | undefined) =>
  directoryOf(slapd, { urls: [slapd.ldapsUrl] }, { password: new Secret(slapd.reader.password), trust })

t.test('over ldaps a directory with a certificate of the right authority answers', async t => {
  const directory = overTls(trustOf({ ca: authority.caFile }))
  await directory.probe()
  t.match(await directory.find('alice'), { kind: 'found', entry: { name: 'alice' } })
})

t.test(
  'a certificate of another authority, or one that only the test knows, is not believed, and nothing is bound',
  async t => {
    const before = slapd.operations().binds
    for (const trust of [trustOf({ ca: rogue.caFile }), undefined]) {
      await t.rejects(overTls(trust).find('alice'), { code: 'directory-misconfigured' })
    }
    t.equal(slapd.operations().binds, before)
  },
)

t.test('the name in the certificate is checked, also one that is not the host', async t => {
  const named = (name: string) => trustOf({ ca: authority.caFile, name })
  await overTls(named('ldap.lab.test')).probe()
  await t.rejects(overTls(named('other.lab.test')).probe(), { code: 'directory-misconfigured' })
  await t.rejects(overTls(named('127.0.0.2')).probe(), { code: 'directory-misconfigured' })
})

t.test('a pin, a rule for names and a depth count for a directory as for any server', async t => {
  const pinned = (digest: string) => ({ pins: [`sha256:${digest}`] })
  await overTls(trustOf(pinned(sha256Of(pair.certPem)))).probe()
  await overTls(trustOf({ ca: authority.caFile, only: 'CN=ldap.lab.test', depth: 2 })).probe()
  const before = slapd.operations().binds
  const wrong = [
    [pinned(sha256Of(authority.caPem)), /fingerprint mismatch: expected sha256:.*, actual sha256:/],
    [{ ca: authority.caFile, ...pinned(sha256Of(authority.caPem)) }, /fingerprint mismatch/],
    [{ ca: authority.caFile, only: '!CN=ldap.lab.test' }, /does not admit CN=ldap\.lab\.test/],
    [{ ca: authority.caFile, depth: 1 }, /too long: 2 in it/],
  ] as const
  for (const [written, said] of wrong) {
    const refused = await overTls(trustOf(written))
      .find('alice')
      .catch((cause: unknown) => cause)
    t.match(refused, { code: 'directory-misconfigured' })
    t.match(causeLine(refused), said)
  }
  t.equal(slapd.operations().binds, before, 'no bind was sent')
})
