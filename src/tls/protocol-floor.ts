/**
 * What a handshake is really held to: a floor, the operator's own words over it, and what this OpenSSL makes of both.
 *
 * Nothing is guessed: the suites are those that OpenSSL itself would offer on these terms. Two doors stay shut whatever
 * is written: suites that authenticate nobody or encrypt nothing, and TLS 1.0 and 1.1 outside the floor made for them.
 *
 * Source: RFC 8996, RFC 9325; openssl-ciphers(1); SSL_CTX_set_security_level(3).
 */
import { constants } from 'node:crypto'
import type { TlsOptions } from 'node:tls'
import { type ProtocolRange, protocolRange, protocolText } from '../config/protocol.ts'
import type { FloorName, Terms } from '../config/terms.ts'
import { type CipherWords, readCiphers, struck } from './cipher-words.ts'
import { type Floor, floors } from './floors.ts'
import { type Groups, knownGroups } from './groups.ts'
import { offeredSuites } from './offered.ts'
import { isTls13, suiteNamed } from './suites.ts'

export interface EffectiveTerms extends ProtocolRange, Groups {
  readonly floor: FloorName
  /** OpenSSL's string: TLS 1.3 suites first, then what chooses those of 1.2 and older. */
  readonly ciphers: string
  /** The suites that this string comes to, in order. Which of them a handshake can take depends on the key, too. */
  readonly suites: readonly string[]
  /** Suites of the floor that cannot be had, each with the reason. */
  readonly leftOut: readonly { readonly suite: string; readonly because: string }[]
  /** False: the floor wants no session to be resumed. */
  readonly resumption: boolean
}

/** The terms as options of a node:tls server or context. */
export const termsOptions = (
  terms: EffectiveTerms,
): Pick<TlsOptions, 'minVersion' | 'maxVersion' | 'ciphers' | 'ecdhCurve' | 'dhparam' | 'honorCipherOrder'> => ({
  minVersion: terms.minimum,
  maxVersion: terms.maximum,
  ciphers: terms.ciphers,
  ecdhCurve: terms.groups.join(':'),
  // Without it OpenSSL passes over every DHE suite in silence. It takes a known group as strong as our key.
  ...(terms.suites.some(suite => suite.startsWith('DHE-')) ? { dhparam: 'auto' } : {}),
  honorCipherOrder: true,
})

/**
 * OpenSSL's flags for these terms, to be joined with those of the listener.
 *
 * Our order decides, but a client that puts ChaCha20 first has no hardware for AES, and gets it.
 */
export const termsFlags = (terms: Pick<EffectiveTerms, 'resumption'>): number =>
  constants.SSL_OP_PRIORITIZE_CHACHA | (terms.resumption ? 0 : constants.SSL_OP_NO_TICKET)

export type Report = (key: string, message: string, severity?: 'warning') => void

/** @returns undefined when the terms contradict each other or OpenSSL; `report` has said why */
export function effectiveTerms(terms: Terms, report: Report): EffectiveTerms | undefined {
  const floor = floors[terms.floor]
  const range = versions(terms, floor, report)
  const words = terms.ciphers === undefined ? undefined : readCiphers(terms.ciphers)
  const fitting = words === undefined || range === undefined || fits(words, range, report)
  const groups = knownGroups(terms, floor, range, report)
  if (range === undefined || !fitting || groups === undefined) return undefined

  const ciphers = cipherString(floor, range, words)
  const suites = enabledSuites({ ciphers, groups: groups.groups, range })
  if (!enough(suites, { terms, range, words, report })) return undefined
  warn(terms, suites, { range, words, report })
  return {
    floor: terms.floor,
    ...range,
    ciphers,
    suites,
    leftOut: leftOut(suites, { floor, range, words }),
    ...groups,
    resumption: floor.resumption,
  }
}

function versions(terms: Terms, floor: Floor, report: Report): ProtocolRange | undefined {
  const { protocols, maximum } = terms
  // A list names every version that is wanted: the floor has no say then.
  const minimum = terms.minimum ?? (protocols === undefined ? floor.minimum : undefined)
  const range = protocolRange({ protocols, minimum, maximum })
  if ('mistake' in range) {
    report(protocols !== undefined ? 'protocols' : 'maximum', range.mistake)
    return undefined
  }
  if (range.minimum >= 'TLSv1.2' || terms.floor === 'mozilla-old') return range
  report(
    terms.minimum === undefined ? 'protocols' : 'minimum',
    `${protocolText(range.minimum)} is broken, and nobody may offer it any more (RFC 8996); write 1.2 or 1.3, or give devices that know nothing newer a listener of their own with floor: mozilla-old`,
  )
  return undefined
}

/** Whether the words under `ciphers` can stand, and speak of versions that are allowed. */
function fits({ older, suites13, level, mistakes, remarks }: CipherWords, range: ProtocolRange, report: Report) {
  for (const mistake of mistakes) report('ciphers', mistake)
  if (mistakes.length > 0) return false
  const refuse = (message: string) => {
    report('ciphers', message)
    return false
  }
  if (range.minimum === 'TLSv1.3' && (older !== '' || remarks.length > 0))
    return refuse(
      'these ciphers are for TLS 1.2 and older, which these terms do not allow; leave them out, or name suites of TLS 1.3 (TLS_AES_256_GCM_SHA384)',
    )
  if (range.maximum < 'TLSv1.3' && suites13.length > 0)
    return refuse(`${suites13.join(', ')}: for TLS 1.3, which these terms do not allow; leave them out`)
  if (range.minimum < 'TLSv1.3' && older === '' && remarks.length === 0 && suites13.length > 0)
    return refuse(
      'these are suites of TLS 1.3 alone, and TLS 1.2 is allowed; name suites for it too, or write minimum: 1.3',
    )
  if (range.minimum < 'TLSv1.2' && level !== undefined && level > 0)
    return refuse(`@SECLEVEL=${level} switches TLS 1.0 and 1.1 off; leave it out, or write minimum: 1.2`)
  return true
}

function cipherString(floor: Floor, range: ProtocolRange, words: CipherWords | undefined): string {
  const named13 = words?.suites13 ?? []
  const older = words === undefined ? floor.older.filter(name => suiteNamed(name) !== undefined) : [words.older]
  return [
    ...(range.maximum === 'TLSv1.3' ? (named13.length > 0 ? named13 : floor.suites13) : []),
    ...(range.minimum < 'TLSv1.3' ? [...older, ...struck] : []),
    // OpenSSL 3 has TLS 1.0 and 1.1 at no other level: their handshakes are signed with MD5 and SHA-1.
    ...(range.minimum < 'TLSv1.2' && words?.level === undefined ? ['@SECLEVEL=0'] : []),
  ]
    .filter(word => word !== '')
    .join(':')
}

function enabledSuites(terms: { ciphers: string; groups: readonly string[]; range: ProtocolRange }): string[] {
  const { ciphers, groups, range } = terms
  try {
    return offeredSuites({
      ciphers,
      ecdhCurve: groups.join(':'),
      minVersion: range.minimum,
      maxVersion: range.maximum,
    })
  } catch {
    return [] // OpenSSL finds no suite in the string; every word of it was known
  }
}

interface Situation {
  readonly terms: Terms
  readonly range: ProtocolRange
  readonly words: CipherWords | undefined
  readonly report: Report
}

/** Every version that is allowed must have a suite to go with, or `check` would promise what no handshake keeps. */
function enough(suites: readonly string[], { terms, range, words, report }: Situation): boolean {
  const older = suites.filter(suite => !isTls13(suite))
  const lacking =
    range.minimum < 'TLSv1.2' && !older.some(suite => suite.endsWith('-SHA'))
      ? range.minimum
      : range.minimum < 'TLSv1.3' && older.length === 0
        ? 'TLSv1.2'
        : undefined
  if (lacking === undefined) return true
  if (words === undefined)
    report(
      terms.minimum === undefined ? 'protocols' : 'minimum',
      `the floor ${terms.floor} has no cipher suites for ${protocolText(lacking)}; name some under ciphers, or leave ${protocolText(lacking)} out`,
    )
  else
    report(
      'ciphers',
      `no cipher suite for ${protocolText(lacking)} is left of "${[terms.ciphers].flat().join(':')}"${words.remarks.map(remark => `: ${remark}`).join('')}; write HIGH, or names of suites`,
    )
  return false
}

function warn(terms: Terms, suites: readonly string[], { range, words, report }: Omit<Situation, 'terms'>): void {
  for (const remark of words?.remarks ?? []) report('ciphers', remark, 'warning')
  if (words?.level !== undefined && words.level < 2)
    report(
      'ciphers',
      `@SECLEVEL=${words.level} lets short keys and SHA-1 signatures pass, in clients' certificates too; 2 is the level without it`,
      'warning',
    )
  if (terms.floor !== 'mozilla-old') return
  const costs = [
    ...(range.minimum < 'TLSv1.2'
      ? [
          `${range.minimum === 'TLSv1' ? 'TLS 1.0 and 1.1 are' : 'TLS 1.1 is'} broken (RFC 8996), and for their sake short keys and SHA-1 signatures pass on the whole listener, in clients' certificates too`,
        ]
      : []),
    ...(suites.some(suite => /^(AES|CAMELLIA|ARIA)/.test(suite))
      ? ['some suites have no forward secrecy: who gets the key one day reads what was recorded before']
      : []),
  ]
  if (costs.length > 0)
    report(
      'floor',
      `mozilla-old: ${costs.join('; ')}. Keep it for a listener that only the old devices can reach`,
      'warning',
    )
}

function leftOut(
  suites: readonly string[],
  { floor, range, words }: { floor: Floor; range: ProtocolRange; words: CipherWords | undefined },
): EffectiveTerms['leftOut'] {
  const wanted = [
    ...(range.maximum === 'TLSv1.3' && (words?.suites13.length ?? 0) === 0 ? floor.suites13 : []),
    ...(range.minimum < 'TLSv1.3' && words === undefined ? floor.older : []),
  ]
  return wanted
    .filter(suite => !suites.includes(suite) && range.maximum >= firstVersion(suite))
    .map(suite => ({
      suite,
      because: /CCM_?8/.test(suite)
        ? 'too short a tag for the security level of OpenSSL; @SECLEVEL=0, which has it, lets short keys pass as well'
        : 'this OpenSSL does not have it',
    }))
}

/** The version in which a suite can be used first: what an older maximum shuts out is not "left out". */
const firstVersion = (suite: string) => (isTls13(suite) ? 'TLSv1.3' : suite.endsWith('-SHA') ? 'TLSv1' : 'TLSv1.2')
