/**
 * The floors once more, written out from the documents, and how a scanner's findings are held against them.
 *
 * Not to forget: nothing here is taken from src/tls/floors.ts, or a slip there would be right here too.
 *
 * Source: Mozilla Server Side TLS 5.7 and 5.8; DICOM PS3.15 B.12, B.13; IHE ITI-19.
 */
import type { Test } from 'tap'
import type { FloorName } from '../../src/config/terms.ts'
import type { KeyKind } from '../../src/issuer/keys.ts'
import type { TestAuthority } from '../fixture/authority.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { type Finding, testssl } from '../fixture/testssl.ts'

export interface Expected {
  readonly oldest: 'TLSv1' | 'TLSv1.2' | 'TLSv1.3'
  readonly suites13: string
  /** Accepted in TLS 1.2 with an RSA key, with an ECDSA key. */
  readonly rsa: string
  readonly ecdsa: string
  readonly groups: string
}

const mozilla13 = 'TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256'
const gcm = (key: string) => `ECDHE-${key}-AES128-GCM-SHA256 ECDHE-${key}-AES256-GCM-SHA384`
const intermediate = (key: string) => `${gcm(key)} ECDHE-${key}-CHACHA20-POLY1305`
const dhe = 'DHE-RSA-AES128-GCM-SHA256 DHE-RSA-AES256-GCM-SHA384'
const usual = 'X25519 prime256v1 secp384r1'
const oldEcdhe = (key: string) =>
  `ECDHE-${key}-AES128-SHA256 ECDHE-${key}-AES128-SHA ECDHE-${key}-AES256-SHA384 ECDHE-${key}-AES256-SHA`

export const expected: Readonly<Record<FloorName, Expected>> = {
  'mozilla-modern': { oldest: 'TLSv1.3', suites13: mozilla13, rsa: '', ecdsa: '', groups: usual },
  'mozilla-intermediate': {
    oldest: 'TLSv1.2',
    suites13: mozilla13,
    rsa: intermediate('RSA'),
    ecdsa: intermediate('ECDSA'),
    groups: usual,
  },
  'mozilla-intermediate-5.7': {
    oldest: 'TLSv1.2',
    suites13: mozilla13,
    rsa: `${intermediate('RSA')} ${dhe} DHE-RSA-CHACHA20-POLY1305`,
    ecdsa: intermediate('ECDSA'),
    groups: usual,
  },
  'dicom-bcp195': {
    oldest: 'TLSv1.2',
    suites13: mozilla13,
    rsa: gcm('RSA'),
    ecdsa: gcm('ECDSA'),
    groups: usual,
  },
  'dicom-bcp195-modified': {
    oldest: 'TLSv1.2',
    suites13: `${mozilla13} TLS_AES_128_CCM_SHA256`,
    rsa: intermediate('RSA'),
    ecdsa: `${intermediate('ECDSA')} ECDHE-ECDSA-AES256-CCM ECDHE-ECDSA-AES128-CCM`,
    groups: 'prime256v1 secp384r1',
  },
  'ihe-atna': {
    oldest: 'TLSv1.2',
    suites13: mozilla13,
    rsa: `${gcm('RSA')} ${dhe}`,
    ecdsa: gcm('ECDSA'),
    groups: usual,
  },
  'mozilla-old': {
    oldest: 'TLSv1',
    suites13: mozilla13,
    rsa: `${intermediate('RSA')} ${dhe} DHE-RSA-CHACHA20-POLY1305 ${oldEcdhe('RSA')}
      DHE-RSA-AES128-SHA256 DHE-RSA-AES256-SHA256 AES128-GCM-SHA256 AES256-GCM-SHA384 AES128-SHA256 AES256-SHA256
      AES128-SHA AES256-SHA`,
    ecdsa: `${intermediate('ECDSA')} ${oldEcdhe('ECDSA')}`,
    groups: usual,
  },
}

export const sorted = (text: string) =>
  text
    .split(/\s+/)
    .filter(one => one !== '')
    .toSorted()

const nothing = `upstreams: { app: { kind: generic, url: "http://127.0.0.1:9" } }
routes: [{ path: /, upstream: app, access: everyone }]`

/** The fixture's gateway with a server key of this kind. */
export const startOnFloor = (
  t: Pick<Test, 'teardown' | 'fail'>,
  authority: TestAuthority,
  floor: FloorName,
  key: KeyKind,
) =>
  startTestGateway(t, {
    yaml: nothing,
    certificate: 'none',
    listener: `tls: { floor: ${floor} }`,
    authority: { ...authority, server: (names, ips) => authority.server(names, ips, { key }) },
  })

/** What testssl may say of any listener here, and why that is no fault of the gateway's. */
const allowed: Readonly<Record<string, string>> = {
  cert_revocation: 'a private authority: its list is read by the gateway, and no certificate names a place for it',
  DNS_CAArecord: 'localhost has no records',
  engine_problem: "of testssl's own OpenSSL, which has no GOST",
  sessionresumption_ticket: 'its OpenSSL 3.0 cannot always ask; resumption is tested elsewhere',
}

/** What only the floor for old devices costs. */
const allowedOld: Readonly<Record<string, string>> = {
  BEAST_CBC_TLS1: 'TLS 1.0 has no suites but those with CBC; who wants TLS 1.0 gets them, and a warning at the start',
}

const harmless = ['OK', 'INFO', 'LOW']

/** One run of testssl against a gateway on this floor, held against the published set. */
export async function judgeFloor(
  t: Test,
  authority: TestAuthority,
  { floor, key, checks }: { floor: FloorName; key: 'rsa-2048' | 'ec-p256'; checks: readonly string[] },
): Promise<void> {
  const { oldest, suites13, rsa, ecdsa, groups } = expected[floor]
  const { port } = await startOnFloor(t, authority, floor, key)
  const findings = await testssl({ port, caFile: authority.caFile, checks })
  const finding = (id: string) => findings.find(one => one.id === id)?.finding ?? ''

  const words = { ...allowed, ...(floor === 'mozilla-old' ? allowedOld : {}) }
  const grave = ({ id, severity }: Finding) => !harmless.includes(severity) && words[id] === undefined
  t.same(findings.filter(grave), [], 'nothing of severity MEDIUM or worse')
  t.ok(findings.length > 20, 'and it did look')

  const older = key === 'rsa-2048' ? rsa : ecdsa
  for (const [id, version] of [
    ['TLS1', 'TLSv1'],
    ['TLS1_1', 'TLSv1.1'],
    ['TLS1_2', 'TLSv1.2'],
    ['TLS1_3', 'TLSv1.3'],
  ] as const) {
    if (version < oldest) {
      t.match(finding(id), /^not offered/, version)
      continue
    }
    t.match(finding(id), /^offered/, version)
    const wanted = version === 'TLSv1.3' ? sorted(suites13) : sorted(older)
    const possible = version < 'TLSv1.2' ? wanted.filter(suite => suite.endsWith('-SHA')) : wanted
    t.same(
      sorted(finding(`cipherorder_${version === 'TLSv1' ? 'TLSv1' : version.replace('.', '_')}`)),
      possible,
      version,
    )
  }
  t.match(finding('cipher_order'), /^server/, 'our order decides')
  t.same(sorted(finding('PFS_ECDHE_curves')), sorted(groups), 'groups, as far as its OpenSSL knows them')
}
