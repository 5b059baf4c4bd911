/**
 * The order of proofs: a live session first, then the certificate, then Basic; the first that is not absent wins.
 *
 * A certificate that is refused proves nothing where certificates are optional: the request goes on as if none had
 * come, and the reason is kept for the page. After logging out, a mark in the browser keeps its certificate from
 * entering by itself. Source: interface "Which proof counts".
 */
import type { HeaderList } from '../listener/exchange.ts'
import { type Answer, absent, proven, refused } from './answer.ts'
import type { BasicCheck } from './basic-credentials.ts'
import type { CertificateReader, TlsPeer } from './client-certificate.ts'
import { hasLoggedOutMark } from './cookies.ts'
import type { LocalAccounts } from './local-accounts.ts'
import { bySession, type SessionAnswer } from './session.ts'
import type { Session, SessionStore } from './session-store.ts'

export interface Identity {
  /** What policy goes by. */
  readonly answer: Answer
  /** What the certificate alone says, whatever outranks it. */
  readonly certificateAnswer: Answer
  readonly session: Session | undefined
  readonly loggedOutMark: boolean
}

export interface Credentials {
  readonly headers: HeaderList
  readonly peer: TlsPeer & object
  readonly address: string
  /** Whether the listener insists on a certificate. */
  readonly certificate: 'none' | 'optional' | 'required'
  /** Authorization belongs to the application behind, and is never tried on our realms. */
  readonly authorizationPasses: boolean
}

export interface AuthenticatorParts {
  readonly readCertificate: CertificateReader
  readonly sessions: Pick<SessionStore, 'find' | 'close'>
  readonly local: Pick<LocalAccounts, 'find'>
  /** Whether passwords are asked of a directory: sessions of one that was taken away hold no longer. */
  readonly hasDirectory: boolean
  /** Undefined: Basic is off. */
  readonly basic: BasicCheck | undefined
  readonly now: () => number
}

/**
 * A session of a local account holds only while the account does, with the groups that the account has now; one of a
 * directory only while there is a directory.
 */
function stillHolds(
  { answer, session }: SessionAnswer,
  { local, hasDirectory, sessions }: Pick<AuthenticatorParts, 'local' | 'hasDirectory' | 'sessions'>,
): SessionAnswer {
  if (answer.kind !== 'proven' || session === undefined) return { answer, session }
  const end = (): SessionAnswer => {
    sessions.close(session.id)
    return { answer: absent, session: undefined }
  }
  if (session.realm !== 'local') return session.realm === 'directory' && hasDirectory ? { answer, session } : end()
  const account = local.find(session.name)
  if (account === undefined || account.locked) return end()
  return { answer: proven({ ...answer.principal, groups: new Set(account.groups) }), session }
}

export async function identify(credentials: Credentials, parts: AuthenticatorParts): Promise<Identity> {
  const { readCertificate, sessions, basic, now } = parts
  const { headers, peer, address, certificate, authorizationPasses } = credentials
  const certificateAnswer = readCertificate(peer, now())
  const loggedOutMark = hasLoggedOutMark(headers)
  const rest = { certificateAnswer, loggedOutMark }

  if (certificate === 'required' && certificateAnswer.kind !== 'proven') {
    const answer =
      certificateAnswer.kind === 'refused' ? certificateAnswer : refused('certificate-missing', 'none was presented')
    return { ...rest, answer, session: undefined }
  }
  const { answer: sessionAnswer, session } = stillHolds(bySession(headers, sessions), parts)
  if (sessionAnswer.kind === 'proven') return { ...rest, answer: sessionAnswer, session }
  if (certificateAnswer.kind === 'proven' && !loggedOutMark) return { ...rest, answer: certificateAnswer, session }

  const basicAnswer = basic === undefined || authorizationPasses ? absent : await basic(headers, address)
  if (basicAnswer.kind !== 'absent') return { ...rest, answer: basicAnswer, session }
  return { ...rest, answer: certificateAnswer.kind === 'refused' ? certificateAnswer : absent, session }
}
