/**
 * Which of several servers has a client's session: told to the browser in a cookie of ours, and read from it again.
 *
 * The cookie holds the place of the server in the configuration, and nothing of its address. It proves nothing and opens
 * nothing: who changes it meets another server, which knows no session of his.
 */
import { readCookie, setCookie } from '../identity/cookies.ts'
import type { Affinity, Upstream } from '../upstream/upstream.ts'
import type { Passage } from './forward.ts'

const cookieOf = ({ name }: Pick<Upstream, 'name'>): string => `__Host-sallyport-at-${name}`

/** Undefined where it does not matter. */
export function affinityOf(
  { exchange: { request }, permit: { principal } }: Pick<Passage, 'exchange' | 'permit'>,
  upstream: Pick<Upstream, 'name' | 'profile' | 'section'>,
): Affinity | undefined {
  if (!upstream.profile.sticky || upstream.section.urls.length === 1) return undefined
  return {
    server: readCookie(request.headers, cookieOf(upstream)) ?? undefined,
    person: principal === undefined ? undefined : `${principal.realm} ${principal.name}`,
  }
}

export const pinCookie = (upstream: Pick<Upstream, 'name'>, server: number): string =>
  setCookie(cookieOf(upstream), String(server))
