/**
 * What an operator wrote under `ciphers`, word by word, made into a string that OpenSSL takes.
 *
 * OpenSSL passes over every word that it does not know, so a slip of the pen would switch a suite off, or leave one on,
 * without a sound. Here each word is known, or refused by name. Whatever is written, suites that authenticate nobody or
 * encrypt nothing stay off: they are struck out last, and a struck suite cannot come back. For that the text must end
 * where we think it ends, so characters that OpenSSL's language has no use for are refused (a NUL would cut it short).
 *
 * Source: openssl-ciphers(1), CIPHER LIST FORMAT and CIPHER STRINGS; IceSSL.Ciphers; RFC 9150 (suites without encryption).
 */
import { isTls13, suiteNamed } from './suites.ts'

export interface CipherWords {
  /** OpenSSL's language, for TLS 1.2 and older; empty when nothing was said about those. */
  readonly older: string
  /** Suites of TLS 1.3, in order; empty when none was named. */
  readonly suites13: readonly string[]
  /** The last `@SECLEVEL` in it. */
  readonly level: number | undefined
  /** What cannot stand: the terms are refused. */
  readonly mistakes: readonly string[]
  /** What has no effect, and why: a warning. */
  readonly remarks: readonly string[]
}

/** Struck out last. DSA keys are as dead as the other two, and every floor with a word on them forbids them. */
export const struck = ['!aDSS', '!aNULL', '!eNULL'] as const

const families = new Set(
  `ALL COMPLEMENTOFALL COMPLEMENTOFDEFAULT DEFAULT HIGH MEDIUM LOW
  RSA kRSA aRSA DHE EDH kDHE kEDH DH ECDHE EECDH kECDHE kEECDH ECDH ECDSA aECDSA
  TLSv1.2 TLSv1.0 TLSv1 SSLv3 AES AES128 AES256 AESGCM AESCCM AESCCM8 ARIA ARIA128 ARIA256 ARIAGCM
  CAMELLIA CAMELLIA128 CAMELLIA256 CHACHA20 CBC SHA SHA1 SHA256 SHA384 FIPS`.split(/\s+/),
)

const nobodyProved = /^(aNULL|ADH|AECDH)$|^A(EC)?DH-|_anon_/i
const nothingHidden = /^(eNULL|NULL|COMPLEMENTOFALL)$|(^|[-_])NULL([-_]|$)|^TLS_SHA(256|384)_SHA(256|384)$/i
const agreedBefore = /(^|[-_])[ak]?(DHE|ECDHE|RSA)?(PSK|SRP)([-_]|$)/
/** Words of OpenSSL's language for what this OpenSSL was built without, or has thrown out. */
const gone =
  /(^|[-_])(3?DES|DES40|RC2|RC4|IDEA|SEED|MD5|EXP(ORT)?\d*|KRB5|(a|k)?GOST\w*|GOST94|GOST89MAC)([-_]|$)|^[ak](EC)?DH[edr]?$|^(EC)?DH-|DSS|^SSLv2$|^STREEBOG/
const neverThere = /_WITH_CAMELLIA_(128|256)_GCM_/

/** Why a word has no effect where it is meant to switch something on; undefined: it has one. */
function idle(word: string): string | undefined {
  if (nobodyProved.test(word)) return 'authenticates nobody, and is never switched on'
  if (nothingHidden.test(word)) return 'encrypts nothing, and is never switched on'
  if (agreedBefore.test(word)) return 'wants keys that are agreed beforehand, which this gateway has none of'
  if (gone.test(word)) return 'is of the past, and this OpenSSL no longer has it'
  return neverThere.test(word) ? 'is not in OpenSSL' : undefined
}

/** IceSSL writes families with an underscore, IANA suites in its own way; OpenSSL knows neither. */
const inOpenSsl = (word: string): string =>
  suiteNamed(word)?.name ?? word.replace(/^(AES|CAMELLIA|ARIA)_(128|256)$/, '$1$2')

const lowerCase = new Map([...families].map(word => [word.toLowerCase(), word]))

function unknown(word: string): string {
  const meant = lowerCase.get(word.toLowerCase()) ?? suiteNamed(word.toUpperCase())?.name
  return `OpenSSL knows no "${word}"${meant === undefined ? '; check its spelling' : `; write ${meant}`}`
}

export function readCiphers(written: string | readonly string[]): CipherWords {
  const older: string[] = []
  const suites13: string[] = []
  const mistakes: string[] = []
  const remarks: string[] = []
  let level: number | undefined

  // HIGH!DHE is HIGH:!DHE: a mark begins a new word.
  const items = [written].flat().flatMap(text => text.split(/[:;, ]+|(?=[!@])/))
  for (const item of items.filter(text => text !== '')) {
    const [, security] = /^@SECLEVEL=([0-5])$/.exec(item) ?? []
    if (security !== undefined) level = Number(security)
    if (security !== undefined || item === '@STRENGTH') {
      older.push(item)
      continue
    }
    const [, mark = '', text = ''] = /^([-+!]?)(\w[\w.-]*(?:\+\w[\w.-]*)*)$/.exec(item) ?? []
    if (text === '') {
      mistakes.push(`${JSON.stringify(item)} is not part of a cipher string`)
      continue
    }
    const words = text.split('+').map(inOpenSsl)
    const strangers = words.filter(
      word => suiteNamed(word) === undefined && !families.has(word) && idle(word) === undefined,
    )
    const [suite = ''] = words
    const misplaced = words.includes('DEFAULT') && (mark !== '' || words.length > 1 || older.length > 0)
    if (strangers.length > 0) mistakes.push(...strangers.map(unknown))
    else if (misplaced) mistakes.push('"DEFAULT" counts only as the first word of a cipher string')
    else if (isTls13(suite) && suiteNamed(suite) !== undefined) {
      if (mark === '') suites13.push(suite)
      else mistakes.push(`suites of TLS 1.3 are chosen by naming those that are wanted; leave "${item}" out`)
    } else {
      const reasons = words.flatMap(word => idle(word) ?? [])
      if (reasons.length > 0 && mark === '') remarks.push(`"${text}" ${reasons[0]}; left out`)
      if (reasons.length === 0 || mark !== '') older.push(`${mark}${words.join('+')}`)
    }
  }
  return { older: older.join(':'), suites13, level, mistakes, remarks }
}
