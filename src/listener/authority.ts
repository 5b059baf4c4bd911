/**
 * Host and request target: exactly one, well formed, and not contradicting each other.
 *
 * Source: RFC 9112 3.2 (one Host, absolute-form), RFC 9113 8.3.1 (:authority); CVE-2026-44578, CVE-2026-48710.
 */
import { isIPv6 } from 'node:net'
import { memo } from '../kernel/memo.ts'

export interface Authority {
  /** As received, lower case: host, or host:port. */
  readonly text: string
  /** Without port and brackets. */
  readonly host: string
}

const form = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)\.?)(?::(\d{1,5}))?$/

/** @returns undefined when the text is not a plain host with an optional port */
export const parseAuthority = memo(parse, 260)

function parse(received: string): Authority | undefined {
  const text = received.toLowerCase()
  const [, v6, name, port] = form.exec(text) ?? []
  const host = v6 ?? name
  if (host === undefined || text.length > 260) return undefined
  if (v6 !== undefined && !isIPv6(v6)) return undefined
  if (name?.includes('..') === true || Number(port ?? 0) > 65_535) return undefined
  // What looks like an IPv4 address and is none is no host to anybody who parses URLs.
  if (!URL.canParse(`https://${text}`)) return undefined
  return { text, host }
}

export type Target = { readonly target: string } | { readonly malformed: string }

/** Origin-form of a request target. @param authority  what Host said, lower case */
export function originForm(received: string, authority: string): Target {
  if (received.startsWith('/')) return { target: received }
  const [, named, rest = ''] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(received) ?? []
  // A fragment belongs to whoever asks, and has no path before it here.
  if (named === undefined || rest.startsWith('#')) return { malformed: 'the request target must begin with a slash' }
  if (named.toLowerCase() !== authority) return { malformed: 'the request target names another host than Host does' }
  return { target: rest.startsWith('/') ? rest : `/${rest}` }
}
