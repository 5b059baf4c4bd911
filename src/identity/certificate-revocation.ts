/**
 * Whether a certificate, or one of the authorities above it, was taken back: by our own authority's ledger, and by the
 * revocation lists of the listener.
 *
 * Every certificate on every way is asked for, up to the authority that stands in the truststore, so that what a holder
 * sends cannot choose the list. Where a list is missing or out of date the site's own word counts: `whenStale`, closed
 * unless it says otherwise. A certificate that is trusted as it is needs no list, and one that names it counts all the
 * same. What was found of a certificate counts until one of them says something new; a list that may have ended meanwhile is
 * asked again after a moment.
 */
import type { X509Certificate } from 'node:crypto'
import type { Ledger } from '../issuer/ledger.ts'
import { freshFor } from '../kernel/state-database.ts'
import type { Path } from '../tls/certificate-path.ts'
import type { Revocation } from '../tls/revocation.ts'
import { fingerprintOf } from '../tls/truststore.ts'
import { type Refused, refused } from './answer.ts'
import type { Holder } from './certificate-realms.ts'
import type { Revoked } from './client-certificate.ts'

export interface RevocationParts {
  readonly ledger: Pick<Ledger, 'revoked' | 'revokedCertificate' | 'revision'>
  /** Undefined: the listener names no lists. */
  readonly lists: Pick<Revocation, 'check' | 'mentions' | 'whenStale' | 'revision'> | undefined
}

interface Found {
  readonly answer: Refused | undefined
  readonly ledger: number
  readonly lists: number | undefined
  readonly at: number
}

export function createRevoked({ ledger, lists }: RevocationParts): Revoked {
  const taken = (who: string, reason: string, at: Date) =>
    refused('certificate-revoked', `${who}: ${reason}, ${at.toISOString()}`)

  function alongPath(path: Path, listed: boolean, now: number): Refused | undefined {
    for (const [index, issuer] of path.slice(1).entries()) {
      const certificate = path[index]
      if (certificate === undefined) continue
      const who = index === 0 ? 'the certificate' : `the authority ${certificate.subject.replaceAll('\n', ', ')}`
      const own = ledger.revoked(fingerprintOf(issuer), certificate.serialNumber) ?? byItself(certificate)
      if (own !== undefined) return taken(who, own.reason, own.at)
      const said = lists?.check(certificate, issuer, now) ?? 'good'
      if (said === 'good') continue
      if ('revoked' in said) return taken(who, said.reason, said.revoked)
      if (listed || lists?.whenStale === 'accept') continue
      const state = said.unknown === 'stale' ? 'out of date' : 'missing'
      return refused('certificate-unchecked', `${who}: the revocation list of its issuer is ${state}`)
    }
    return undefined
  }
  const byItself = (certificate: X509Certificate) => ledger.revokedCertificate(fingerprintOf(certificate))

  function find({ certificate, paths, listed }: Holder, now: number): Refused | undefined {
    const own = byItself(certificate)
    if (own !== undefined) return taken('the certificate', own.reason, own.at)
    for (const path of paths) {
      const found = alongPath(path, listed, now)
      if (found !== undefined) return found
    }
    const named = paths.length === 0 ? lists?.mentions(certificate) : undefined
    return named === undefined ? undefined : taken('the certificate', named.reason, named.revoked)
  }

  const found = new WeakMap<Holder, Found>()
  return (holder, now) => {
    const known = found.get(holder)
    const isSame = known?.ledger === ledger.revision() && known.lists === lists?.revision()
    if (isSame && (lists === undefined || Math.abs(now - known.at) < freshFor)) return known.answer
    const answer = find(holder, now)
    found.set(holder, { answer, ledger: ledger.revision(), lists: lists?.revision(), at: now })
    return answer
  }
}
