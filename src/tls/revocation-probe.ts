/**
 * Fetches the revocation lists that a section names by address, once, for a person who wants to know whether it works.
 *
 * Signatures are not looked at: who signed a list is known when a certificate is asked about.
 */
import type { RevocationSection } from '../config/revocation.ts'
import { fetchBytes } from './revocation-fetch.ts'
import { factsOf, readRevocationLists } from './revocation-list.ts'
import { isFresh } from './revocation-pool.ts'

export interface ListProbe {
  readonly what: string
  readonly ok: boolean
  readonly detail: string
  readonly milliseconds: number
}

export async function probeRevocation({ lists }: RevocationSection, now: number): Promise<ListProbe[]> {
  const addresses = lists.filter(one => 'url' in one)
  return await Promise.all(
    addresses.map(async ({ url }) => {
      const from = performance.now()
      const outcome = await probeAddress(url, now)
      return { what: `revocation list ${url}`, ...outcome, milliseconds: Math.round(performance.now() - from) }
    }),
  )
}

async function probeAddress(url: string, now: number): Promise<{ ok: boolean; detail: string }> {
  const fetched = await fetchBytes(url)
  if (fetched.kind !== 'bytes')
    return { ok: false, detail: fetched.kind === 'failed' ? fetched.why : 'the server says that nothing has changed' }
  const read = readRevocationLists(fetched.bytes)
  if ('mistake' in read) return { ok: false, detail: read.mistake }
  const details = read.map(list => {
    const { issuer, entries, until } = factsOf(list)
    const out = isFresh(list, now) ? '' : list.thisUpdate > now ? ', dated in the future' : ', out of date'
    return `${issuer}: ${entries} revoked, until ${until}${out}`
  })
  return { ok: read.every(list => isFresh(list, now)), detail: details.join('; ') }
}
