/**
 * The order of proofs: a live session first, then the certificate, then Basic; the first that is not absent wins.
 *
 * A certificate that is refused proves nothing where certificates are optional: the request goes on as if none had
 * come, and the reason is kept for the page. After logging out, a mark in the browser keeps its certificate from
 * entering by itself. Whose certificate cannot be looked up just now may come in by another proof, and is else a Fault.
 *
 * Source: interface "Which proof counts".
 */
import { Fault } from '../kernel/fault.ts'
import type { HeaderList } from '../listener/exchange.ts'
import { type Answer, absent, proven, refused } from './answer.ts'
import type { BasicCheck } from './basic-credentials.ts'
import type { HolderReader } from './certificate-holders.ts'
import type { TlsPeer } from './client-certificate.ts'
import { hasLoggedOutMark } from './cookies.ts'
import { groupsNow, type SessionAccounts } from './presence.ts'
import { bySession, type SessionAnswer } from './session.ts'
import type { Session, SessionStore } from './session-store.ts'

export interface Identity {
  /** What policy goes by. */
  readonly answer: Answer
  /** What the certificate alone says, whatever outranks it. Absent also where it was not needed and not known. */
  readonly certificateAnswer: Answer
  /** Why the holder of the certificate could not be looked up; never where access is not for everyone. */
  readonly unresolved?: Fault
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
  /** A page asks by itself: nobody is there for it. */
  readonly isPing: boolean
  /** Our own pages, and routes open to everyone, are there also where the holder of the certificate cannot be looked up. */
  readonly place: 'own-page' | 'open' | 'closed'
}

export interface AuthenticatorParts extends SessionAccounts {
  readonly certificates: HolderReader
  readonly sessions: Pick<SessionStore, 'find' | 'close'>
  /** Undefined: Basic is off. */
  readonly basic: BasicCheck | undefined
  readonly now: () => number
}

/** A session holds only while its account does, with the groups that the account has now. No directory is asked. */
async function stillHolds({ answer, session }: SessionAnswer, parts: AuthenticatorParts): Promise<SessionAnswer> {
  if (answer.kind !== 'proven' || session === undefined) return { answer, session }
  const groups = groupsNow(session, parts)
  if (groups !== undefined) return { answer: proven({ ...answer.principal, groups }), session }
  await parts.sessions.close(session.id)
  return { answer: absent, session: undefined }
}

/** What is open to everyone is there also for a browser whose session cannot be looked up just now. */
async function sessionFor(credentials: Credentials, parts: AuthenticatorParts): Promise<SessionAnswer> {
  const { headers, isPing, place } = credentials
  try {
    return await stillHolds(await bySession(headers, parts.sessions, !isPing), parts)
  } catch (thrown) {
    if (!(thrown instanceof Fault) || place !== 'open') throw thrown
    return { answer: absent, session: undefined }
  }
}

export async function identify(credentials: Credentials, parts: AuthenticatorParts): Promise<Identity> {
  const { certificates, basic, now } = parts
  const { headers, peer, address, certificate, authorizationPasses, place } = credentials
  const loggedOutMark = hasLoggedOutMark(headers)

  if (certificate === 'required') {
    const certificateAnswer = await certificates.read(peer, now())
    if (certificateAnswer.kind !== 'proven') {
      const answer =
        certificateAnswer.kind === 'refused' ? certificateAnswer : refused('certificate-missing', 'none was presented')
      return { answer, certificateAnswer, loggedOutMark, session: undefined }
    }
  }
  const { answer: sessionAnswer, session } = await sessionFor(credentials, parts)
  if (sessionAnswer.kind === 'proven' && place !== 'own-page') {
    const certificateAnswer = certificates.known(peer, now()) ?? absent
    return { answer: sessionAnswer, certificateAnswer, loggedOutMark, session }
  }

  const found = await orFault(certificates, peer, now())
  const certificateAnswer = found instanceof Fault ? absent : found
  const rest = { certificateAnswer, loggedOutMark, session, ...(found instanceof Fault ? { unresolved: found } : {}) }
  if (sessionAnswer.kind === 'proven') return { ...rest, answer: sessionAnswer }
  if (certificateAnswer.kind === 'proven' && !loggedOutMark) return { ...rest, answer: certificateAnswer }

  const basicAnswer = basic === undefined || authorizationPasses ? absent : await basic(headers, address)
  if (basicAnswer.kind !== 'absent') return { ...rest, answer: basicAnswer }
  // Behind the mark of a logout the certificate would not have counted anyway.
  if (found instanceof Fault && place === 'closed' && !loggedOutMark) throw found
  return { ...rest, answer: certificateAnswer.kind === 'refused' ? certificateAnswer : absent }
}

/** A local account gets in with its password also where a certificate came along and the directory is down. */
async function orFault(certificates: HolderReader, peer: TlsPeer & object, now: number): Promise<Answer | Fault> {
  try {
    return await certificates.read(peer, now)
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown
    throw thrown
  }
}
