/**
 * Which of the lists that came counts for a certificate.
 *
 * Of one authority the newest list that it really signed counts, wherever it came from. An older one never takes its
 * place, and neither does one that nobody known signed: whoever can put a file or an answer in the way can hold back
 * news until the list ends, and undo nothing. Signatures are held against the authority once and remembered.
 *
 * Source: RFC 5280 5.2.3 (numbers only grow), 6.3.3.
 */
import type { X509Certificate } from 'node:crypto'
import { certificateFacts, serialKey } from './revocation-facts.ts'
import { type ParsedList, whyNotVerifiedBy } from './revocation-list.ts'

export type RevocationAnswer =
  | 'good'
  | { readonly revoked: Date; readonly reason: string }
  | { readonly unknown: 'no-list' | 'stale' }

export interface Held {
  readonly list: ParsedList
  readonly source: string
}

export interface RevocationPool {
  /** All lists that a source holds now. @returns those that are new here, and those passed over for a newer one */
  offer(source: string, lists: readonly ParsedList[], now: number): { added: ParsedList[]; older: ParsedList[] }
  check(certificate: X509Certificate, issuer: X509Certificate, now: number): RevocationAnswer
  /**
   * What a list says of a certificate whose issuer nobody can show: its signature is not known, its name fits. For
   * certificates that are trusted as they are, which no authority needs to vouch for.
   */
  mentions(certificate: X509Certificate): ReturnType<ParsedList['find']>
  /** Another number whenever a source has brought lists: answers may be others, also without the time. */
  revision(): number
  /** All, those kept for want of a better one too. */
  readonly held: readonly Held[]
  /** Those that count, one for each authority and scope. */
  current(now: number): Held[]
  /** No authority seen so far signed it, and one of its name was seen. */
  isStranger(list: ParsedList): boolean
}

const day = 86_400_000
/**
 * For a list that does not say when the next one comes: as long as lists are commonly issued for (AD CS). RFC 5280 wants
 * the date; to believe such a list for ever would let a revoked certificate in for ever once its renewal stops.
 */
const lifeWithoutEnd = 7 * day
/** What the clock of an authority may be ahead of ours. */
const tolerance = 5 * 60_000
/** Lists that nobody signed and that their source no longer holds: kept in case a stranger stands in its place. */
const strangersKept = 2
const issuersKept = 500

export const endOf = ({ thisUpdate, nextUpdate }: ParsedList): number => nextUpdate ?? thisUpdate + lifeWithoutEnd
const inForce = ({ thisUpdate }: ParsedList, now: number) => thisUpdate <= now + tolerance
export const isFresh = (list: ParsedList, now: number): boolean => inForce(list, now) && now <= endOf(list)

function isNewer(a: ParsedList, b: ParsedList): boolean {
  if (a.number !== undefined && b.number !== undefined && a.number !== b.number) return a.number > b.number
  return a.thisUpdate > b.thisUpdate
}

const topicOf = ({ issuerName, scope }: ParsedList) => `${issuerName.toString('hex')} ${JSON.stringify(scope)}`

/** The newest of each topic; one that is not yet in force only where there is no other. */
function newestOfEach(held: readonly Held[], now: number): Held[] {
  const best = new Map<string, Held>()
  for (const one of held) {
    const topic = topicOf(one.list)
    const other = best.get(topic)?.list
    const rank = Number(inForce(one.list, now)) - Number(other !== undefined && inForce(other, now))
    if (other === undefined || rank > 0 || (rank === 0 && isNewer(one.list, other))) best.set(topic, one)
  }
  return [...best.values()]
}

/** Whether a list speaks of this certificate at all. */
function covers({ scope: { only, points } }: ParsedList, certificate: X509Certificate): boolean {
  if (only !== undefined && (only === 'authorities') !== certificate.ca) return false
  return points === undefined || (certificateFacts(certificate)?.points.some(point => points.includes(point)) ?? false)
}

/** Why a list of a known name does not count. */
export const misfits = {
  'wrong-signature': 'it bears the name of an authority that did not sign it',
  'may-not-sign-lists': 'it is signed by an authority whose certificate does not let it sign lists',
} as const
type Misfit = keyof typeof misfits

/** @param onMisfit  once for each list that bears the name of an authority seen so far, and that none of them signed */
export function createRevocationPool(onMisfit: (held: Held, why: Misfit) => void): RevocationPool {
  let revision = 0
  let held: Held[] = []
  /** Authorities seen so far, by fingerprint: their way up to the truststore was found before they are asked about. */
  const issuers = new Map<string, X509Certificate>()
  /** For each list: who signed it, and who bears the name and did not. */
  const verdicts = new WeakMap<ParsedList, Map<string, 'signed' | Misfit>>()
  const told = new WeakSet<ParsedList>()

  function isSigned({ list }: Held, fingerprint: string, issuer: X509Certificate): boolean {
    const known = verdicts.get(list) ?? new Map<string, 'signed' | Misfit>()
    verdicts.set(list, known)
    const before = known.get(fingerprint)
    if (before !== undefined) return before === 'signed'
    const verdict = whyNotVerifiedBy(list, issuer) ?? 'signed'
    if (verdict === 'other-issuer') return false
    known.set(fingerprint, verdict)
    return verdict === 'signed'
  }
  function tellMisfit(one: Held): void {
    const [why] = verdicts.get(one.list)?.values() ?? []
    if (why === undefined || why === 'signed' || signers(one.list).length > 0 || told.has(one.list)) return
    told.add(one.list)
    onMisfit(one, why)
  }
  const signers = (list: ParsedList) =>
    [...(verdicts.get(list) ?? [])].filter(([, verdict]) => verdict === 'signed').map(([fingerprint]) => fingerprint)

  const isSuperseded = ({ list }: Held, now: number) => {
    const own = signers(list)
    return held.some(
      other =>
        isNewer(other.list, list) &&
        inForce(other.list, now) &&
        topicOf(other.list) === topicOf(list) &&
        signers(other.list).some(fingerprint => own.includes(fingerprint)),
    )
  }

  return {
    get held() {
      return held
    },
    revision: () => revision,
    offer(source, lists, now) {
      revision++
      const offered = new Set(lists.map(({ digest }) => digest))
      const strangers = held.filter(
        one => one.source === source && !offered.has(one.list.digest) && signers(one.list).length === 0,
      )
      const dropped = new Set(strangers.slice(0, Math.max(0, strangers.length - strangersKept)))
      held = held.filter(one => !dropped.has(one))
      const added: Held[] = []
      for (const list of lists) {
        if (held.some(one => one.list.digest === list.digest)) continue
        const one = { list, source }
        held.push(one)
        added.push(one)
        for (const [fingerprint, issuer] of issuers) isSigned(one, fingerprint, issuer)
        tellMisfit(one)
      }
      held = held.filter(one => !isSuperseded(one, now))
      const stayed = new Set(held)
      return {
        added: added.filter(one => stayed.has(one)).map(({ list }) => list),
        older: added.filter(one => !stayed.has(one)).map(({ list }) => list),
      }
    },
    check(certificate, issuer, now) {
      const fingerprint = issuer.fingerprint256
      issuers.set(fingerprint, issuer)
      for (const eldest of issuers.keys()) if (issuers.size > issuersKept) issuers.delete(eldest)
      const speaking = held.filter(one => isSigned(one, fingerprint, issuer) && covers(one.list, certificate))
      for (const one of held) tellMisfit(one)
      const counting = newestOfEach(speaking, now)
      const serial = serialKey(certificate)
      for (const { list } of counting) {
        // What an authority took back stays taken back when its list has ended.
        const found = list.find(serial)
        if (found !== undefined) return found
      }
      if (counting.some(({ list }) => isFresh(list, now))) return 'good'
      return { unknown: counting.length === 0 ? 'no-list' : 'stale' }
    },
    mentions(certificate) {
      const issuer = certificateFacts(certificate)?.issuer
      const serial = serialKey(certificate)
      for (const { list } of held) {
        const found = issuer !== undefined && list.issuerName.equals(issuer) ? list.find(serial) : undefined
        if (found !== undefined) return found
      }
      return undefined
    },
    current(now) {
      const signed = held.filter(({ list }) => signers(list).length > 0)
      const topics = new Set(signed.map(({ list }) => topicOf(list)))
      return newestOfEach([...signed, ...held.filter(({ list }) => !topics.has(topicOf(list)))], now)
    },
    isStranger(list) {
      const known = verdicts.get(list)
      return known !== undefined && known.size > 0 && signers(list).length === 0
    },
  }
}
