/**
 * The order of proofs: a live session first, then the certificate, then Basic; the first that is not absent wins.
 *
 * A certificate that is refused proves nothing where certificates are optional: the request goes on as if none had
 * come, and the reason is kept for the page. After logging out, a mark in the browser keeps its certificate from
 * entering by itself. Source: interface "Which proof counts".
 */
import type { HeaderList } from '../listener/exchange.ts'
import { type Answer, absent, refused } from './answer.ts'
import type { BasicCheck } from './basic-credentials.ts'
import type { CertificateReader, TlsPeer } from './client-certificate.ts'
import { hasLoggedOutMark } from './cookies.ts'
import { bySession } from './session.ts'
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
  readonly sessions: SessionStore
  /** Undefined: Basic is off. */
  readonly basic: BasicCheck | undefined
  readonly now: () => number
}

export async function identify(credentials: Credentials, { readCertificate, sessions, basic, now }: AuthenticatorParts): Promise<Identity> {
  const { headers, peer, address, certificate, authorizationPasses } = credentials
  const certificateAnswer = readCertificate(peer, now())
  const loggedOutMark = hasLoggedOutMark(headers)
  const rest = { certificateAnswer, loggedOutMark }

  if (certificate === 'required' && certificateAnswer.kind !== 'proven') {
    const answer = certificateAnswer.kind === 'refused' ? certificateAnswer : refused('certificate-missing', 'none was presented')
    return { ...rest, answer, session: undefined }
  }
  const { answer: sessionAnswer, session } = bySession(headers, sessions)
  if (sessionAnswer.kind === 'proven') return { ...rest, answer: sessionAnswer, session }
  if (certificateAnswer.kind === 'proven' && !loggedOutMark) return { ...rest, answer: certificateAnswer, session }

  const basicAnswer = basic === undefined || authorizationPasses ? absent : await basic(headers, address)
  if (basicAnswer.kind !== 'absent') return { ...rest, answer: basicAnswer, session }
  return { ...rest, answer: certificateAnswer.kind === 'refused' ? certificateAnswer : absent, session }
}
