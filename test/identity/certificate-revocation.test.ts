// Taken back is taken back, whichever way the holder shows, and also where nobody needs to vouch for the certificate.
import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { createRevoked } from '../../src/identity/certificate-revocation.ts'
import { fingerprintOf } from '../../src/tls/truststore.ts'
import { oddCertificateTools, startOddCertificates } from '../fixture/odd-certificates.ts'
import { requireReal } from '../fixture/real.ts'

t.test('a certificate', async t => {
  if (!requireReal(t, oddCertificateTools)) return
  const odd = await startOddCertificates(t)
  const certificate = new X509Certificate(odd.get('chain-of-3').certPem)
  const [inner, again, ca] = (['inner', 'innerAgain', 'ca'] as const).map(
    name => new X509Certificate(odd.authority(name).certPem),
  ) as [X509Certificate, X509Certificate, X509Certificate] // as many as were named
  const at = new Date('2026-11-22T00:00:00Z')
  const nobody = { revision: () => 0, revoked: () => undefined, revokedCertificate: () => undefined }
  const paths = [
    [certificate, inner, ca],
    [certificate, again, ca],
  ] as const
  const silent = {
    revision: () => 0,
    check: () => 'good' as const,
    mentions: () => undefined,
    whenStale: 'refuse' as const,
  }
  const of = (one: X509Certificate) => (other: X509Certificate) => other.fingerprint256 === one.fingerprint256
  const reasonOf = (
    parts: Parameters<typeof createRevoked>[0],
    listed: boolean,
    ways: readonly (readonly X509Certificate[])[],
  ) => createRevoked(parts)({ certificate, listed, paths: ways }, Date.now())?.reason

  await t.test('that nobody took back is good', async t => {
    t.equal(reasonOf({ ledger: nobody, lists: silent }, false, paths), undefined)
    t.equal(reasonOf({ ledger: nobody, lists: undefined }, false, paths), undefined)
  })

  await t.test('is refused when an authority on one of several ways was taken back', async t => {
    const lists = {
      ...silent,
      check: (one: X509Certificate) => (of(again)(one) ? { revoked: at, reason: 'keyCompromise' } : ('good' as const)),
    }
    t.equal(reasonOf({ ledger: nobody, lists }, false, paths), 'certificate-revoked')
    t.equal(reasonOf({ ledger: nobody, lists }, false, [paths[0]]), undefined)
  })

  await t.test(
    'that our own ledger has is refused by itself, with another certificate of the authority or none',
    async t => {
      const ledger = {
        revision: () => 0,
        revoked: () => undefined,
        revokedCertificate: (sha256: string) =>
          sha256 === fingerprintOf(certificate) ? { at, reason: 'superseded' } : undefined,
      }
      for (const ways of [paths, []])
        t.equal(reasonOf({ ledger, lists: undefined }, ways.length === 0, ways), 'certificate-revoked')
    },
  )

  await t.test('without a list is refused, or let in where the site says so', async t => {
    const lists = { ...silent, check: () => ({ unknown: 'no-list' as const }) }
    t.equal(reasonOf({ ledger: nobody, lists }, false, paths), 'certificate-unchecked')
    t.equal(reasonOf({ ledger: nobody, lists: { ...lists, whenStale: 'accept' } }, false, paths), undefined)
  })

  await t.test('that is trusted as it is needs no list, and one that names it counts all the same', async t => {
    const unknown = { ...silent, check: () => ({ unknown: 'stale' as const }) }
    t.equal(reasonOf({ ledger: nobody, lists: unknown }, true, paths), undefined)
    t.equal(reasonOf({ ledger: nobody, lists: unknown }, true, []), undefined)
    const named = { ...unknown, mentions: () => ({ revoked: at, reason: 'keyCompromise' }) }
    t.equal(reasonOf({ ledger: nobody, lists: named }, true, []), 'certificate-revoked')
  })
})
