/**
 * The person behind a session cookie.
 *
 * A cookie that is broken, doubled, over-long or ended is as good as none: the next proof may answer.
 */

import type { Eventually } from '../kernel/eventually.ts'
import type { HeaderList } from '../listener/exchange.ts'
import { type Answer, absent, proven } from './answer.ts'
import { ownCookies } from './cookies.ts'
import type { Session, SessionStore } from './session-store.ts'

export interface SessionAnswer {
  readonly answer: Answer
  readonly session: Session | undefined
}

/** @param isUse  whether it counts as use of the session. May throw Fault('state-unavailable') */
export function bySession(
  headers: HeaderList,
  store: Pick<SessionStore, 'find'>,
  isUse: boolean,
): Eventually<SessionAnswer> {
  const own = ownCookies(headers)
  const found = typeof own.session === 'string' ? store.find(own.session, isUse, own) : undefined
  return found instanceof Promise ? found.then(answerOf) : answerOf(found)
}

function answerOf(session: Session | undefined): SessionAnswer {
  if (session === undefined) return { answer: absent, session }
  const { id, name, realm, groups, by } = session
  return { answer: proven({ name, realm, groups, proof: { kind: 'session', by, id } }), session }
}
