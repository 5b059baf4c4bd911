/**
 * The floors: published sets of terms, as data, each with its source.
 *
 * A floor says what its source says, also where this OpenSSL cannot follow; `protocol-floor.ts` finds out what is left
 * and says so. Names are OpenSSL's; where OpenSSL has none, IANA's.
 */
import type { ProtocolRange } from '../config/protocol.ts'
import type { FloorName } from '../config/terms.ts'

export interface Floor extends ProtocolRange {
  readonly source: string
  readonly suites13: readonly string[]
  /** For TLS 1.2 and older, the best first: our order decides. */
  readonly older: readonly string[]
  readonly groups: readonly string[]
  /** False: the source wants sessions not to be cached. */
  readonly resumption: boolean
}

const suites13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']
// Strongest first, as a server must that goes by its own order: RFC 9325 4.2.1.
const strongest13 = ['TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_GCM_SHA256']

// The post-quantum hybrid comes first, also where a source is older than it: images must stay secret for decades, and
// what is recorded now can be opened by a machine of then. A client that lacks it takes the next.
const groups = ['X25519MLKEM768', 'X25519', 'prime256v1', 'secp384r1']

const both = (...endings: string[]) => endings.flatMap(end => [`ECDHE-ECDSA-${end}`, `ECDHE-RSA-${end}`])

const intermediate = both('AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305')
const dhe = ['DHE-RSA-AES128-GCM-SHA256', 'DHE-RSA-AES256-GCM-SHA384', 'DHE-RSA-CHACHA20-POLY1305']
const bcp195 = both('AES256-GCM-SHA384', 'AES128-GCM-SHA256')

const since12 = { minimum: 'TLSv1.2', maximum: 'TLSv1.3' } as const

export const floors: Readonly<Record<FloorName, Floor>> = {
  'mozilla-modern': {
    source: 'Mozilla Server Side TLS 5.8, modern',
    minimum: 'TLSv1.3',
    maximum: 'TLSv1.3',
    suites13,
    older: [],
    groups,
    resumption: true,
  },
  'mozilla-intermediate': {
    source: 'Mozilla Server Side TLS 5.8, intermediate',
    ...since12,
    suites13,
    older: intermediate,
    groups,
    resumption: true,
  },
  'mozilla-intermediate-5.7': {
    source: 'Mozilla Server Side TLS 5.7, intermediate: with DHE, for clients without elliptic curves',
    ...since12,
    suites13,
    older: [...intermediate, ...dhe],
    groups,
    resumption: true,
  },
  'dicom-bcp195': {
    source: 'DICOM PS3.15 B.12, BCP 195 (RFC 8996, RFC 9325)',
    ...since12,
    suites13: strongest13,
    older: bcp195,
    groups,
    resumption: true,
  },
  'dicom-bcp195-modified': {
    source: 'DICOM PS3.15 B.13, Modified BCP 195 (RFC 8996, RFC 9325)',
    ...since12,
    suites13: [...strongest13, 'TLS_AES_128_CCM_SHA256', 'TLS_AES_128_CCM_8_SHA256'],
    older: [
      ...bcp195,
      ...both('CHACHA20-POLY1305'),
      'ECDHE-ECDSA-AES256-CCM',
      'ECDHE-ECDSA-AES128-CCM',
      'ECDHE-ECDSA-AES256-CCM8',
      'ECDHE-ECDSA-AES128-CCM8',
      'TLS_ECDHE_ECDSA_WITH_CAMELLIA_256_GCM_SHA384',
      'TLS_ECDHE_RSA_WITH_CAMELLIA_256_GCM_SHA384',
      'TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_GCM_SHA256',
      'TLS_ECDHE_RSA_WITH_CAMELLIA_128_GCM_SHA256',
    ],
    // B.13 permits the algorithms that it lists and no others, which a hybrid with ML-KEM is not, and ECDHE from 256
    // bits on, which X25519 is not (253). DCMTK reads it the same way.
    groups: ['prime256v1', 'secp384r1'],
    resumption: false,
  },
  'ihe-atna': {
    source: 'IHE ITI TF-2 3.19 (ITI-19, revision 20), STX: TLS 1.2 floor using BCP 195',
    ...since12,
    suites13: strongest13,
    // ECDSA forms are none of the four that ITI-19 requires, and none that it forbids.
    older: [...bcp195, 'DHE-RSA-AES256-GCM-SHA384', 'DHE-RSA-AES128-GCM-SHA256'],
    groups,
    resumption: true,
  },
  'mozilla-old': {
    source: 'Mozilla Server Side TLS 5.7, old (6.0 has no such set any more)',
    minimum: 'TLSv1',
    maximum: 'TLSv1.3',
    suites13,
    older: [
      ...intermediate,
      ...dhe,
      ...both('AES128-SHA256', 'AES128-SHA', 'AES256-SHA384', 'AES256-SHA'),
      'DHE-RSA-AES128-SHA256',
      'DHE-RSA-AES256-SHA256',
      'AES128-GCM-SHA256',
      'AES256-GCM-SHA384',
      'AES128-SHA256',
      'AES256-SHA256',
      'AES128-SHA',
      'AES256-SHA',
      'DES-CBC3-SHA',
    ],
    groups,
    resumption: true,
  },
}
