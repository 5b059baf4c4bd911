// A realm takes the certificates of its issuers, and nobody can send a way into another one.
import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { CertificateRealms } from '../../src/config/certificate-realm.ts'
import { createRealms } from '../../src/identity/certificate-realms.ts'
import { fingerprintOf } from '../../src/tls/truststore.ts'
import { oddCertificateTools, startOddCertificates } from '../fixture/odd-certificates.ts'
import { requireReal } from '../fixture/real.ts'

t.test('a realm', async t => {
  if (!requireReal(t, oddCertificateTools)) return
  const odd = await startOddCertificates(t)
  type Name = Parameters<typeof odd.authority>[0]
  const authority = (name: Name) => new X509Certificate(odd.authority(name).certPem)
  const certificate = new X509Certificate(odd.get('chain-of-3').certPem)
  const found = (written: object[], trusted: readonly Name[], ways: readonly (readonly Name[])[], listed = false) =>
    createRealms(CertificateRealms.parse(written), {
      ...{ pem: [], anchors: [], singles: new Set<string>() },
      authorities: new Map(trusted.map(name => [fingerprintOf(authority(name)), authority(name)])),
    })({ certificate, listed, paths: ways.map(way => [certificate, ...way.map(authority)]) })?.id
  const inner = { id: 'inner', issuers: ['CN=Inner Authority'] }
  const lab = { id: 'lab', issuers: ['CN=Lab Authority'] }
  const other = { id: 'other', issuers: ['CN=Other Authority'] }

  await t.test('may name an intermediate where one authority stands above all', async t => {
    t.equal(found([inner], ['ca'], [['inner', 'ca']]), 'inner')
    t.equal(found([inner], ['ca', 'other'], [['inner', 'ca']]), undefined, 'the other could sign one of that name')
    t.equal(found([inner], ['ca', 'other', 'inner'], [['inner', 'ca']]), 'inner', 'known by its certificate')
    t.equal(found([inner], ['ca', 'other', 'inner'], [['innerByOther', 'other']]), undefined, 'and by no other')
  })

  await t.test('is the same by every way, or none', async t => {
    const both = [
      ['inner', 'ca'],
      ['innerByOther', 'other'],
    ] as const
    t.equal(found([lab, other], ['ca', 'other'], both), undefined)
    t.equal(found([{ id: 'all' }], ['ca', 'other'], both), 'all')
    t.equal(found([lab, other], ['ca', 'other'], [both[1]]), 'other')
  })

  await t.test('takes a certificate by its fingerprint only where it is trusted as it is', async t => {
    const people = { id: 'people', issuers: ['CN=Other Authority'], people: { [fingerprintOf(certificate)]: 'ct-1' } }
    t.equal(found([people], ['ca', 'other'], [['inner', 'ca']]), undefined)
    t.equal(found([people], ['ca', 'other'], [['inner', 'ca']], true), 'people')
  })
})
