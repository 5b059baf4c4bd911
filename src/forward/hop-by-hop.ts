/**
 * Headers that end at this connection: the fixed list, and what `Connection` names.
 *
 * Taken out before ours are put in, so that a client cannot name ours away. Source: RFC 9110 7.6.1;
 * CVE-2024-45410 (Traefik), CVE-2025-48865 (Fabio).
 */
import type { HeaderList } from '../listener/exchange.ts'

const fixed = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])

/** Needed for the message itself: never taken out, whatever `Connection` says. */
const essential = new Set([
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'cookie',
  'authorization',
  'set-cookie',
  'location',
  'cache-control',
])

/** @param name  lower case */
export const isHopByHop = (name: string): boolean => fixed.has(name)

export function withoutHopByHop(headers: HeaderList): HeaderList {
  let listed: Set<string> | undefined
  for (const [name, value] of headers) {
    if (name !== 'connection') continue
    for (const token of value.split(',')) {
      const named = token.trim().toLowerCase()
      if (fixed.has(named) || essential.has(named)) continue
      listed ??= new Set()
      listed.add(named)
    }
  }
  return headers.filter(([name]) => !fixed.has(name) && listed?.has(name) !== true)
}
