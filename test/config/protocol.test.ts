/**
 * TLS versions in every dialect that the seeds and their documentation use, and what several statements leave together.
 */
import t from 'tap'
import { type ProtocolVersion, protocolRange, readProtocol } from '../../src/config/protocol.ts'

/** One table for all dialects: IceSSL, Orthanc's number, Mozilla and nginx, Node. */
const dialects: Readonly<Record<ProtocolVersion, readonly (string | number)[]>> = {
  TLSv1: ['tls', 'TLS', 'tls1', 'tlsv1', 'TLSv1', 'tls1_0', 'TLSV1_0', 'TLSv1.0', 'TLS 1.0', '1.0', 2, '2'],
  'TLSv1.1': ['tls1_1', 'tlsv1_1', 'TLS1_1', 'TLSv1.1', 'TLS 1.1', 1.1, '1.1', 3, '3'],
  'TLSv1.2': ['tls1_2', 'tlsv1_2', 'TLS1_2', 'TLSV1_2', 'TLSv1.2', 'TLS 1.2', 1.2, '1.2', ' 1.2 ', 4, '4'],
  'TLSv1.3': ['tls1_3', 'tlsv1_3', 'TLS1_3', 'TLSv1.3', 'TLS 1.3', 1.3, '1.3', 5, '5'],
}

t.test('a protocol is understood as IceSSL, Orthanc, nginx and Node write it', async t => {
  for (const [version, names] of Object.entries(dialects))
    for (const name of names) t.equal(readProtocol(name), version, JSON.stringify(name))
})

t.test('what cannot be had is refused with a sentence that says why and what to write', async t => {
  const rows: readonly (readonly [string | number, RegExp])[] = [
    ['ssl3', /^"ssl3" is SSL, which is broken .*RFC 7568.*; write 1\.2 or 1\.3/],
    ['SSLV3', /^"SSLV3" is SSL,/],
    ['SSLv2', /^"SSLv2" is SSL,/],
    [0, /^"0" is SSL 2 as Orthanc counts, which is broken/],
    [1, /^"1" is TLS 1\.0, or SSL 3 as Orthanc counts: both are broken .*mozilla-old has TLS 1\.0, written tls1_0$/],
    ['1', /^"1" is TLS 1\.0, or SSL 3 as Orthanc counts/],
    [6, /^"6" is no TLS version; write 1\.2/],
    ['1.4', /^"1\.4" is no TLS version/],
    ['tls1_4', /^"tls1_4" is no TLS version/],
    ['tls2', /^"tls2" is no TLS version/],
    ['tls4', /^"tls4" is no TLS version/],
    ['', /^"" is no TLS version/],
    ['constructor', /^"constructor" is no TLS version/],
    ['1.2\nx', /^"1\.2\\nx" is no TLS version/],
  ]
  for (const [written, expected] of rows) {
    const read = readProtocol(written)
    t.match(typeof read === 'string' ? read : read.mistake, expected, JSON.stringify(written))
  }
})

t.test('000: Protocols tls1_2 with ProtocolVersionMin and ProtocolVersionMax tls1_2 leave TLS 1.2 alone', async t => {
  t.same(protocolRange({ protocols: ['TLSv1.2'], minimum: 'TLSv1.2', maximum: 'TLSv1.2' }), {
    minimum: 'TLSv1.2',
    maximum: 'TLSv1.2',
  })
})

t.test('Protocols, ProtocolVersionMin and ProtocolVersionMax are an intersection', async t => {
  const range = (minimum: ProtocolVersion, maximum: ProtocolVersion) => ({ minimum, maximum })
  const rows: readonly (readonly [Parameters<typeof protocolRange>[0], ReturnType<typeof range>])[] = [
    [{}, range('TLSv1', 'TLSv1.3')],
    [{ minimum: 'TLSv1.2' }, range('TLSv1.2', 'TLSv1.3')],
    [{ maximum: 'TLSv1.1' }, range('TLSv1', 'TLSv1.1')],
    [{ protocols: ['TLSv1.3', 'TLSv1.2'] }, range('TLSv1.2', 'TLSv1.3')],
    [{ protocols: ['TLSv1.2', 'TLSv1.2'] }, range('TLSv1.2', 'TLSv1.2')],
    [{ protocols: ['TLSv1', 'TLSv1.1', 'TLSv1.2'], minimum: 'TLSv1.1' }, range('TLSv1.1', 'TLSv1.2')],
    // What stands outside the bounds makes no hole inside them.
    [{ protocols: ['TLSv1', 'TLSv1.2', 'TLSv1.3'], minimum: 'TLSv1.2' }, range('TLSv1.2', 'TLSv1.3')],
    [{ protocols: ['TLSv1', 'TLSv1.3'], minimum: 'TLSv1.1' }, range('TLSv1.3', 'TLSv1.3')],
  ]
  for (const [written, expected] of rows) t.same(protocolRange(written), expected, JSON.stringify(written))
})

t.test('holes and emptiness are refused, and the sentence names them', async t => {
  const rows: readonly (readonly [Parameters<typeof protocolRange>[0], RegExp])[] = [
    [
      { minimum: 'TLSv1.3', maximum: 'TLSv1.2' },
      /^no version is left: the minimum is TLS 1\.3 and the maximum TLS 1\.2$/,
    ],
    [
      { protocols: ['TLSv1.2'], minimum: 'TLSv1.3' },
      /^no version is left of TLS 1\.2: the minimum is TLS 1\.3 and the maximum TLS 1\.3$/,
    ],
    [{ protocols: [] }, /^no version is left/],
    [
      { protocols: ['TLSv1.1', 'TLSv1.3'] },
      /^TLS 1\.2 is missing between TLS 1\.1 and TLS 1\.3, .*; name TLS 1\.2 too, or TLS 1\.3 alone$/,
    ],
    [{ protocols: ['TLSv1', 'TLSv1.3'] }, /^TLS 1\.1 is missing between TLS 1\.0 and TLS 1\.3/],
  ]
  for (const [written, expected] of rows) {
    const range = protocolRange(written)
    t.match('mistake' in range ? range.mistake : range, expected, JSON.stringify(written))
  }
})
