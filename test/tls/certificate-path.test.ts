// All ways up to an authority are found, and nothing that a holder sends beside a certificate takes one away.
import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { pathsToAuthority } from '../../src/tls/certificate-path.ts'
import { fingerprintOf } from '../../src/tls/truststore.ts'
import { oddCertificateTools, startOddCertificates } from '../fixture/odd-certificates.ts'
import { requireReal } from '../fixture/real.ts'

t.test('the ways from a certificate', async t => {
  if (!requireReal(t, oddCertificateTools)) return
  const odd = await startOddCertificates(t)
  type Name = Parameters<typeof odd.authority>[0]
  const read = ({ certPem }: { certPem: string }) => new X509Certificate(certPem)
  const authority = (name: Name) => read(odd.authority(name))
  const names = new Map<string, Name>()
  for (const name of [
    'ca',
    'other',
    'inner',
    'innerAgain',
    'innerByOther',
    'innerBySelf',
    'innerEnded',
    'innermost',
    'innerByOtherEnded',
  ] as const)
    names.set(fingerprintOf(authority(name)), name)
  const leaf = read(odd.get('chain-of-3'))
  const ways = (sent: readonly Name[], trusted: readonly Name[], from = leaf) =>
    pathsToAuthority(
      from,
      sent.map(authority),
      new Map(trusted.map(name => [fingerprintOf(authority(name)), authority(name)])),
      Date.now(),
    )?.map(path => path.slice(1).map(one => names.get(fingerprintOf(one)) ?? 'unknown'))

  for (const [title, sent, trusted, found] of [
    ['through what was sent', ['inner'], ['ca'], [['inner', 'ca']]],
    ['not at all without it', [], ['ca'], []],
    ['whatever the order', ['ca', 'innermost', 'inner'], ['ca'], [['inner', 'ca']]],
    ['not through one that has ended, sent first', ['innerEnded', 'inner'], ['ca'], [['inner', 'ca']]],
    [
      'nor through one that has ended under another root',
      ['innerByOtherEnded', 'inner'],
      ['ca', 'other'],
      [['inner', 'ca']],
    ],
    ['not at all through one that has ended', ['innerEnded'], ['ca'], []],
    [
      'all of them, where a renewed authority is sent twice',
      ['inner', 'innerAgain'],
      ['ca'],
      [
        ['inner', 'ca'],
        ['innerAgain', 'ca'],
      ],
    ],
    [
      'all of them, where two roots vouch',
      ['inner', 'innerByOther'],
      ['ca', 'other'],
      [
        ['inner', 'ca'],
        ['innerByOther', 'other'],
      ],
    ],
    ['one for many copies', ['inner', 'inner', 'inner', 'inner'], ['ca'], [['inner', 'ca']]],
    ['up to the root, where the one between is trusted too', ['inner'], ['ca', 'inner'], [['inner', 'ca']]],
    ['up to it, without anything sent', [], ['ca', 'inner'], [['inner', 'ca']]],
    ['no further than what is trusted', ['ca'], ['inner'], [['inner']]],
    ['none to a stranger', ['inner', 'ca'], ['other'], []],
  ] as const) {
    t.same(ways(sent, trusted), found, title)
  }

  await t.test('are unknown where there is more to look at than is looked at', async t => {
    // Each of these can stand above and below each other: a knot without end.
    const knot = ['inner', 'innerAgain', 'innerBySelf', 'innerByOther'] as const
    const found = ways(knot, ['ca', 'other'])
    t.ok(found === undefined || found.every(path => ['ca', 'other'].includes(String(path.at(-1)))), 'never cut short')
    const all = pathsToAuthority(
      leaf,
      knot.map(authority),
      new Map([[fingerprintOf(authority('ca')), authority('ca')]]),
      Date.now(),
    )
    t.ok(all === undefined || all.every(path => path.at(-1)?.fingerprint256 === authority('ca').fingerprint256))
  })

  await t.test('end where dates end', async t => {
    const later = Date.now() + 10 * 86_400_000
    const trusted = new Map([[fingerprintOf(authority('ca')), authority('ca')]])
    t.same(pathsToAuthority(leaf, [authority('inner')], trusted, later), [])
  })
})
