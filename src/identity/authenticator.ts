/**
 * The order of proofs: a live session first, then the certificate, then Basic; the first that is not absent wins.
 *
 * A certificate that is refused proves nothing where certificates are optional: the request goes on as if none had
 * come, and the reason is kept for the page. After logging out, a mark in the browser keeps its certificate from
 * entering by itself. Whose certificate cannot be looked up just now may come in by another proof, and is else a Fault.
 *
 * Source: interface "Which proof counts".
 */
import { after, type Eventually } from '../kernel/eventually.ts'
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
function stillHolds({ answer, session }: SessionAnswer, parts: AuthenticatorParts): Eventually<SessionAnswer> {
  if (answer.kind !== 'proven' || session === undefined) return { answer, session }
  const groups = groupsNow(session, parts)
  if (groups !== undefined) return { answer: proven({ ...answer.principal, groups }), session }
  return after(parts.sessions.close(session.id), () => nobodySignedIn)
}

const nobodySignedIn: SessionAnswer = { answer: absent, session: undefined }

function sessionFor({ headers, isPing, place }: Credentials, parts: AuthenticatorParts): Eventually<SessionAnswer> {
  // What is open to everyone is there also for a browser whose session cannot be looked up just now.
  const unlessOpen = (thrown: unknown) => {
    if (!(thrown instanceof Fault) || place !== 'open') throw thrown
    return nobodySignedIn
  }
  try {
    const found = after(bySession(headers, parts.sessions, !isPing), answer => stillHolds(answer, parts))
    return found instanceof Promise ? found.catch(unlessOpen) : found
  } catch (thrown) {
    return unlessOpen(thrown)
  }
}

/** Rejects or throws a Fault where it cannot be known who it is. */
export function identify(credentials: Credentials, parts: AuthenticatorParts): Eventually<Identity> {
  const { peer, certificate } = credentials
  if (certificate !== 'required') return bySessionFirst(credentials, parts)
  return after(parts.certificates.read(peer, parts.now()), certificateAnswer => {
    if (certificateAnswer.kind === 'proven') return bySessionFirst(credentials, parts)
    const answer =
      certificateAnswer.kind === 'refused' ? certificateAnswer : refused('certificate-missing', 'none was presented')
    const loggedOutMark = hasLoggedOutMark(credentials.headers)
    return { answer, certificateAnswer, loggedOutMark, session: undefined }
  })
}

function bySessionFirst(credentials: Credentials, parts: AuthenticatorParts): Eventually<Identity> {
  const { headers, peer, place } = credentials
  return after(sessionFor(credentials, parts), ({ answer, session }) => {
    const loggedOutMark = hasLoggedOutMark(headers)
    if (answer.kind === 'proven' && place !== 'own-page') {
      const certificateAnswer = parts.certificates.known(peer, parts.now()) ?? absent
      return { answer, certificateAnswer, loggedOutMark, session }
    }
    return after(orFault(parts.certificates, peer, parts.now()), found => {
      const certificateAnswer = found instanceof Fault ? absent : found
      const rest = {
        certificateAnswer,
        loggedOutMark,
        session,
        ...(found instanceof Fault ? { unresolved: found } : {}),
      }
      if (answer.kind === 'proven') return { ...rest, answer }
      if (certificateAnswer.kind === 'proven' && !loggedOutMark) return { ...rest, answer: certificateAnswer }
      return byBasic(credentials, parts, rest, found)
    })
  })
}

function byBasic(
  { headers, address, authorizationPasses, place }: Credentials,
  { basic }: AuthenticatorParts,
  rest: Omit<Identity, 'answer'>,
  found: Answer | Fault,
): Eventually<Identity> {
  return after(basic === undefined || authorizationPasses ? absent : basic(headers, address), basicAnswer => {
    if (basicAnswer.kind !== 'absent') return { ...rest, answer: basicAnswer }
    // Behind the mark of a logout the certificate would not have counted anyway.
    if (found instanceof Fault && place === 'closed' && !rest.loggedOutMark) throw found
    return { ...rest, answer: rest.certificateAnswer.kind === 'refused' ? rest.certificateAnswer : absent }
  })
}

/** A local account gets in with its password also where a certificate came along and the directory is down. */
function orFault(certificates: HolderReader, peer: TlsPeer & object, now: number): Eventually<Answer | Fault> {
  const ifFault = (thrown: unknown) => {
    if (thrown instanceof Fault) return thrown
    throw thrown
  }
  try {
    const answer = certificates.read(peer, now)
    return answer instanceof Promise ? answer.catch(ifFault) : answer
  } catch (thrown) {
    return ifFault(thrown)
  }
}
