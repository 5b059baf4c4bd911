/**
 * One revocation list: read, and held against the certificate of the authority that is said to have signed it.
 *
 * It knows no time and no files. What a list says is worth nothing until `verifiedBy` answers true; which list counts is
 * decided in revocation-pool.ts. Whatever would have to be understood and is not (delta and indirect lists, unknown
 * critical extensions) makes the whole list refused by name: half a list would let in whom the other half names.
 *
 * Source: RFC 5280 5 and 6.3.3.
 */
import 'reflect-metadata'
import { createHash, type X509Certificate } from 'node:crypto'
import { Name } from '@peculiar/x509'
import { DerReader, NotDer, tags } from './der-reader.ts'
import { type ListScope, objection, readExtensions, readScope, wholeScope } from './revocation-extensions.ts'
import { certificateFacts } from './revocation-facts.ts'
import { isSignedBy, type SignatureScheme, signatureScheme } from './signature-scheme.ts'

export interface ParsedList {
  /** As text, for people. */
  readonly issuer: string
  /** DER of the name. */
  readonly issuerName: Buffer
  readonly thisUpdate: number
  readonly nextUpdate: number | undefined
  /** Undefined: the list is not numbered. */
  readonly number: bigint | undefined
  readonly entries: number
  readonly scope: ListScope
  /** The whole list, DER. */
  readonly der: Buffer
  /** SHA-256 of the whole list. */
  readonly digest: string
  readonly signed: { readonly bytes: Buffer; readonly signature: Buffer; readonly scheme: SignatureScheme }
  /** @param serial  as `integerKey` gives it */
  find(serial: string): { readonly revoked: Date; readonly reason: string } | undefined
}

const begin = '-----BEGIN X509 CRL-----'
const end = '-----END X509 CRL-----'

/** PEM, with several lists in it too and text between them, or the DER of one. */
export function readRevocationLists(bytes: Uint8Array): ParsedList[] | { readonly mistake: string } {
  const ders = derBlocks(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  if ('mistake' in ders) return ders
  const lists: ParsedList[] = []
  for (const [index, der] of ders.entries()) {
    const list = readList(der)
    if ('mistake' in list) return ders.length === 1 ? list : { mistake: `list ${index + 1}: ${list.mistake}` }
    lists.push(list)
  }
  return lists
}

/** A list in a log line. */
export function factsOf({ issuer, number, entries, nextUpdate }: ParsedList) {
  const until = nextUpdate === undefined ? 'not said' : new Date(nextUpdate).toISOString()
  return { issuer, entries, until, ...(number === undefined ? {} : { number: number.toString() }) }
}

/** Whether this authority may sign lists, bears the issuer's name, and signed this one. */
export function verifiedBy(list: ParsedList, issuer: X509Certificate): boolean {
  return whyNotVerifiedBy(list, issuer) === undefined
}

/** The same with its reason. `other-issuer` is no accusation: the list speaks of other certificates. */
export function whyNotVerifiedBy(
  { issuerName, signed }: ParsedList,
  issuer: X509Certificate,
): 'other-issuer' | 'may-not-sign-lists' | 'wrong-signature' | undefined {
  const facts = certificateFacts(issuer)
  if (facts === undefined || !facts.subjectName.equals(issuerName)) return 'other-issuer'
  if (!facts.maySignLists) return 'may-not-sign-lists'
  const { bytes, signature, scheme } = signed
  return isSignedBy(bytes, signature, scheme, issuer.publicKey) ? undefined : 'wrong-signature'
}

function derBlocks(bytes: Buffer): Buffer[] | { readonly mistake: string } {
  if (bytes.length === 0) return { mistake: 'it is empty' }
  if (!bytes.includes('-----BEGIN ')) {
    return bytes[0] === tags.sequence ? [bytes] : { mistake: 'it is neither PEM nor DER' }
  }
  // Searched, not matched: a pattern over many megabytes takes its time.
  const blocks: Buffer[] = []
  for (let at = bytes.indexOf(begin); at !== -1; at = bytes.indexOf(begin, at)) {
    const until = bytes.indexOf(end, at)
    if (until === -1) return { mistake: `list ${blocks.length + 1} has no end` }
    blocks.push(Buffer.from(bytes.toString('latin1', at + begin.length, until), 'base64'))
    at = until + end.length
  }
  return blocks.length === 0 ? { mistake: 'it holds PEM, but no X509 CRL' } : blocks
}

function readList(der: Buffer): ParsedList | { readonly mistake: string } {
  try {
    return understoodList(der)
  } catch (cause) {
    if (cause instanceof NotDer) return { mistake: `it is no revocation list (${cause.message})` }
    throw cause
  }
}

/** Throws NotDer. */
function understoodList(der: Buffer): ParsedList | { readonly mistake: string } {
  const file = new DerReader(der)
  const outer = file.next(tags.sequence).inside()
  if (file.more) throw new NotDer('bytes follow behind it')
  const tbs = outer.next(tags.sequence).whole()
  const list = outer.inside()
  const algorithm = outer.next(tags.sequence).content()
  const scheme = signatureScheme(outer.inside())
  const signature = outer.next(tags.bitString).content()
  if (signature[0] !== 0 || outer.more) throw new NotDer('a signature that is none')

  if (list.skips(tags.integer) && !list.content().equals(Buffer.of(1)))
    return { mistake: 'its version is not known here' }
  // RFC 5280 5.1.1.2: said twice, once inside what is signed.
  if (!list.next(tags.sequence).content().equals(algorithm)) throw new NotDer('two algorithms of signature')
  if ('mistake' in scheme) return scheme
  const issuerName = list.next(tags.sequence).whole()
  const thisUpdate = list.time()
  const hasEnd = list.upcoming === tags.utcTime || list.upcoming === tags.generalizedTime
  const nextUpdate = hasEnd ? list.time() : undefined
  const revoked = list.skips(tags.sequence) ? readEntries(list.inside()) : new Map<string, number>()
  if (!(revoked instanceof Map)) return revoked

  const extensions = list.skips(tags.explicit(0)) ? readExtensions(list.inside().next(tags.sequence).inside()) : []
  if (list.more) throw new NotDer('more in it than a list has')
  const mistake = objection(extensions, 'list')
  if (mistake !== undefined) return { mistake }
  const distribution = extensions.find(({ oid }) => oid === '2.5.29.28')
  const scope = distribution === undefined ? wholeScope : readScope(distribution.value)
  if ('mistake' in scope) return scope
  const numbered = extensions.find(({ oid }) => oid === '2.5.29.20')

  return {
    issuer: nameText(issuerName),
    issuerName,
    thisUpdate,
    nextUpdate,
    number:
      numbered === undefined
        ? undefined
        : BigInt(`0x${new DerReader(numbered.value).next(tags.integer).integerKey().replace('-', '')}`),
    entries: revoked.size,
    scope,
    der,
    digest: createHash('sha256').update(der).digest('hex'),
    signed: { bytes: tbs, signature: signature.subarray(1), scheme },
    find(serial) {
      const packed = revoked.get(serial)
      if (packed === undefined) return undefined
      return { revoked: new Date(Math.floor(packed / 16) * 1_000), reason: reasons[packed & 15] ?? 'unspecified' }
    },
  }
}

function nameText(der: Buffer): string {
  try {
    return new Name(new Uint8Array(der)).toString()
  } catch {
    throw new NotDer('an issuer whose name cannot be read')
  }
}

/** RFC 5280 5.3.1, by number. */
const reasons = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  'unspecified',
  'removeFromCRL',
  'privilegeWithdrawn',
  'aACompromise',
] as const
const removed = reasons.indexOf('removeFromCRL')

/** Serial -> second of revocation * 16 + reason: one number, because there may be hundreds of thousands. */
function readEntries(reader: DerReader): Map<string, number> | { readonly mistake: string } {
  const revoked = new Map<string, number>()
  // Most entries have the same few bytes of extensions.
  const known = new Map<string, number>()
  while (reader.more) {
    const entry = reader.next(tags.sequence).inside()
    const serial = entry.next(tags.integer).integerKey()
    const second = Math.floor(entry.time() / 1_000)
    let reason: number | undefined = 0
    if (entry.skips(tags.sequence)) {
      const bytes = entry.content().toString('latin1')
      reason = known.get(bytes)
      if (reason === undefined) {
        const extensions = readExtensions(entry.inside())
        const mistake = objection(extensions, 'entry')
        if (mistake !== undefined) return { mistake }
        const said = extensions.find(({ oid }) => oid === '2.5.29.21')
        reason = said === undefined ? 0 : (new DerReader(said.value).next(tags.enumerated).content()[0] ?? 0) & 15
        if (known.size < 1_000) known.set(bytes, reason)
      }
    }
    // A certificate let go from hold: said in delta lists only, but where it is said, it is said. OpenSSL reads it so.
    if (reason !== removed) revoked.set(serial, second * 16 + reason)
  }
  return revoked
}
