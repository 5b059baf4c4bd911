/**
 * Who the holder of a certificate is, by all that counts: the certificate, and the directory where its realm says so.
 *
 * Not to forget: a holder who is to be looked up is nobody before the directory has said otherwise.
 */
import { type Answer, proven, type Refused, refused } from './answer.ts'
import type { CertificateReader, TlsPeer } from './client-certificate.ts'
import { groupNames } from './directory-admission.ts'
import { out, type Verdict } from './directory-verdict.ts'
import type { Principal } from './principal.ts'
import type { Verdicts } from './remembered-verdicts.ts'

export interface HolderReader {
  /** Asks nobody. Undefined: the directory would have to be asked. */
  known(peer: TlsPeer & object, now: number): Answer | undefined
  /** Asks the directory where it must. May throw its Faults. */
  read(peer: TlsPeer & object, now: number): Answer | Promise<Answer>
}

export interface HolderParts {
  readonly readCertificate: CertificateReader
  /** Undefined: there is no directory, and whoever is to be looked up there is refused. */
  readonly verdicts: Pick<Verdicts, 'known' | 'of'> | undefined
  /** One spelling of a name, as the directory is asked for it. */
  readonly spell: (name: string) => string
}

export function createHolderReader({ readCertificate, verdicts, spell }: HolderParts): HolderReader {
  const nowhere = out('not-found', 'there is no directory to be looked up in')
  return {
    known(peer, now) {
      const reading = readCertificate(peer, now)
      if (reading.kind !== 'to-look-up') return reading
      const { holder } = reading
      const verdict = verdicts === undefined ? nowhere : verdicts.known(spell(holder.name))
      return verdict && answerOf(holder, verdict)
    },
    read(peer, now) {
      const reading = readCertificate(peer, now)
      if (reading.kind !== 'to-look-up') return reading
      const { holder } = reading
      const verdict = verdicts === undefined ? nowhere : verdicts.of(spell(holder.name))
      return 'then' in verdict ? verdict.then(said => answerOf(holder, said)) : answerOf(holder, verdict)
    },
  }
}

function answerOf(holder: Principal, verdict: Verdict): Answer {
  if (verdict.kind === 'out') return refusalOf(holder.name, verdict)
  const { account } = verdict
  return proven({ ...holder, name: account.name, groups: holder.groups.union(groupNames(account)) })
}

function refusalOf(claimed: string, { reason, why }: Extract<Verdict, { kind: 'out' }>): Refused {
  const isClosed = reason === 'closed' || reason === 'locked' || reason === 'locked-there'
  return refused(isClosed ? 'account-closed' : 'certificate-not-in-directory', `${claimed}: ${why}`, { claimed })
}
