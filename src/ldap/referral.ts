/**
 * What is done when a directory says that something lies at another server: left unread, refused, or looked for there.
 *
 * Only servers of ours are followed to, those of `urls`, with the encryption that is set for them: the reader's password
 * goes to nobody else, whatever a directory says. Not to forget: a reference may lead back to where we came from.
 *
 * Source: RFC 4511 4.1.10 (referrals), 4.5.3 (continuation references; any of their URLs will do); OMERO
 * `omero.ldap.referral`.
 */
import { Fault } from '../kernel/fault.ts'
import type { Address } from './connection.ts'
import type { Entry } from './entry.ts'
import { hostIn, parseLdapUrl } from './ldap-url.ts'
import type { Found, Search } from './search.ts'

export type ReferralRule = 'ignore' | 'follow' | 'throw'

/** How far a search goes on, and how often in all. */
const mostHops = 5
const mostSearches = 20

export interface Chase<S> {
  readonly rule: ReferralRule
  readonly servers: readonly S[]
  /** Asks this server and no other. */
  readonly ask: (server: S, search: Search) => Promise<Found>
  /** Told of a server that is none of ours, and of each that is left aside by the rule. */
  readonly notFollowed: (host: string) => void
}

/** All entries, here and where the search is led to, or a Fault. */
export async function entriesOf<S extends { readonly address: Address }>(
  first: Found,
  search: Search,
  { rule, servers, ask, notFollowed }: Chase<S>,
): Promise<Entry[]> {
  const named = [...first.references, ...(first.elsewhere === undefined ? [] : [first.elsewhere])]
  if (rule === 'throw' && named.length > 0)
    throw misconfigured(`the directory refers to ${named.map(([url = '']) => hostIn(url)).join(', ')}`)
  if (rule === 'ignore') {
    if (first.elsewhere !== undefined)
      throw misconfigured('the base lies in another directory (a referral, which is not followed)')
    for (const [url = ''] of first.references) notFollowed(hostIn(url))
    return [...first.entries]
  }

  // By the letter: names may differ in case alone, and who is there twice is at worst refused as two.
  const entries = new Map(first.entries.map(entry => [entry.dn, entry]))
  const seen = new Set<string>()
  const open = [{ found: first, search, hops: 0 }]
  for (let at = open.shift(); at !== undefined; at = open.shift()) {
    const { found, search, hops } = at
    for (const urls of [...found.references, ...(found.elsewhere === undefined ? [] : [found.elsewhere])]) {
      const next = targetOf(urls, search, servers)
      if (next === undefined) {
        const host = hostIn(urls[0] ?? '')
        notFollowed(host)
        if (urls === found.elsewhere) throw misconfigured(`the base lies at ${host}, which is none of the urls`)
        continue
      }
      const place = `${next.server.address.host}:${next.server.address.port} ${next.search.scope} ${next.search.base.toLowerCase()}`
      if (seen.has(place)) continue
      seen.add(place)
      if (hops >= mostHops || seen.size > mostSearches) throw misconfigured('the directory refers on and on')
      const answer = await ask(next.server, next.search)
      for (const entry of answer.entries) entries.set(entry.dn, entry)
      open.push({ found: answer, search: next.search, hops: hops + 1 })
    }
  }
  return [...entries.values()]
}

/** The first of the URLs that leads to a server of ours. */
function targetOf<S extends { readonly address: Address }>(
  urls: readonly string[],
  search: Search,
  servers: readonly S[],
): { readonly server: S; readonly search: Search } | undefined {
  for (const text of urls) {
    const url = parseLdapUrl(text)
    const server = servers.find(
      ({ address }) => url !== undefined && address.host.toLowerCase() === url.host && address.port === url.port,
    )
    if (url !== undefined && server !== undefined)
      return { server, search: { ...search, base: url.base ?? search.base, scope: url.scope ?? search.scope } }
  }
  return undefined
}

const misconfigured = (about: string) =>
  new Fault('directory-misconfigured', { about: `searching the directory: ${about}` })
