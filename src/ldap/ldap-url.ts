/**
 * Reads the URL of a referral: which server, and which part of its tree.
 *
 * It comes from outside, and is used to compare, never to connect: where we go is decided by our own settings. What is
 * not understood, or must be understood and is not (a critical extension), is no URL that can be followed.
 *
 * Source: RFC 4516 2, RFC 4511 4.1.10, 4.5.3.
 */
import type { Search } from './search.ts'

export interface LdapUrl {
  /** In small letters, IPv6 without brackets. */
  readonly host: string
  readonly port: number
  /** Undefined: the base that was asked for stays. */
  readonly base: string | undefined
  /** Undefined: the scope that was asked for stays. */
  readonly scope: Search['scope'] | undefined
}

const shape =
  /^(ldaps?):\/\/([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?(?:\/([^?]*)(?:\?([^?]*))?(?:\?([^?]*))?(?:\?([^?]*))?(?:\?(.*))?)?$/i
const scopes = ['base', 'one', 'sub'] as const

/** @returns undefined for what cannot be followed */
export function parseLdapUrl(text: string): LdapUrl | undefined {
  const [, scheme = '', host, port, dn = '', , scope = '', , extensions = ''] = shape.exec(text) ?? []
  if (host === undefined || extensions.includes('!')) return undefined
  const known = scopes.find(one => one === scope.toLowerCase())
  if (known === undefined && scope !== '') return undefined
  return {
    host: host.toLowerCase().replace(/^\[|\]$/g, ''),
    port: port === undefined ? (scheme.toLowerCase() === 'ldaps' ? 636 : 389) : Number(port),
    base: dn === '' ? undefined : unescaped(dn),
    scope: known,
  }
}

/** Percent signs that are none stay as they are: such a base is found nowhere. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** For people: the server, or that there is none to read. */
export const hostIn = (text: string): string => {
  const url = parseLdapUrl(text)
  return url === undefined ? 'an address that cannot be read' : `${url.host}:${url.port}`
}
