// Whether a packed answer pays: a decision about headers and the rate of a link, and nothing else.
import t from 'tap'
import { compressibleContent, isWorthIt, packingFor } from '../../src/forward/compressible.ts'

const content = (type: string, kind: 'orthanc' | 'generic' = 'orthanc') =>
  compressibleContent(kind, { status: 200, headers: [['content-type', type]], body: Buffer.alloc(2_000) })

t.test('pixels are told by their transfer syntax, however it is quoted', async t => {
  for (const type of [
    'multipart/related; type="application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"; boundary=b',
    'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2; boundary=b',
    'multipart/related; boundary=b; type=application/octet-stream',
    'Multipart/Related; Type="application/octet-stream"; Transfer-Syntax="1.2.840.10008.1.2.2"',
  ])
    for (const kind of ['orthanc', 'generic'] as const) t.equal(content(type, kind), 'pixels', type)
  for (const type of [
    'multipart/related; type="application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.201"; boundary=b',
    'multipart/related; type="application/octet-stream"; transfer-syntax=*',
    'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1.99',
    'multipart/related; type="application/dicom"; boundary=b',
    'multipart/related; type="image/jp2"; boundary=b',
    'multipart/related; boundary=b',
    'multipart/form-data; type="application/octet-stream"',
    'application/octet-stream',
    'image/png',
  ])
    t.equal(content(type), undefined, type)
})

t.test('pixels gain where the link is slower than the packing; text gains always', async t => {
  for (const [packing, rate, expected] of [
    ['zstd', undefined, false],
    ['zstd', 1e6, true],
    ['zstd', 39e6, true],
    ['zstd', 41e6, false],
    ['br', 31e6, true],
    ['br', 33e6, false],
    ['gzip', 14e6, true],
    ['gzip', 16e6, false],
  ] as const) {
    t.equal(isWorthIt('pixels', packing, 'auto', rate), expected, `${packing} at ${rate}`)
    t.ok(isWorthIt('text', packing, 'auto', rate))
    t.ok(isWorthIt('pixels', packing, 'always', rate))
  }
})

t.test('what is new is sent only to whom names it', async t => {
  const of = (wish: string) => packingFor([['accept-encoding', wish]])
  t.equal(of('*'), 'gzip')
  t.equal(of('*;q=0'), undefined)
  t.equal(of('gzip, *;q=0'), 'gzip')
  t.equal(of('deflate'), undefined)
  t.equal(of('ZSTD'), 'zstd')
  t.equal(of('br;q=1.0, zstd;q=0.9'), 'br')
  t.equal(of('identity, zstd;q=0.5'), undefined, 'liked less than plain')
  t.equal(packingFor([]), undefined)
})
