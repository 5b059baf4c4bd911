/**
 * Picks the content coding of an answer by the client's Accept-Encoding.
 *
 * It compresses nothing. What the client likes best wins; between equals, what the caller names first.
 * Source: RFC 9110 12.5.3 (Accept-Encoding), 12.4.2 (quality values), 8.4.1.3 (x-gzip).
 */
import { type HeaderList, headerValues } from '../listener/exchange.ts'

export type Coding = 'br' | 'gzip' | 'identity'

/** RFC 9110 12.4.2: three decimals at most; an item whose weight cannot be read counts as not there. */
const weight = /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/

/** Weight by coding, in lower case, `*` included. */
function weightsOf(values: readonly string[]): Map<string, number> {
  const weights = new Map<string, number>()
  for (const item of values.join(',').split(',')) {
    const [name = '', ...parameters] = item.split(';').map(part => part.trim().toLowerCase())
    if (name === '') continue
    const q = parameters.find(parameter => /^q\s*=/.test(parameter))?.replace(/^q\s*=\s*/, '') ?? '1'
    if (weight.test(q)) weights.set(name === 'x-gzip' ? 'gzip' : name, Number(q))
  }
  return weights
}

/**
 * The coding to answer with; undefined when the client takes none of those on offer (406).
 *
 * @param offered  what the answer can be had in, best first; what stands behind identity is for clients who refuse that
 */
export function chooseCoding<Known extends string = Coding>(
  headers: HeaderList,
  offered: readonly (Known | 'identity')[],
): Known | 'identity' | undefined {
  const values = headerValues(headers, 'accept-encoding')
  // Without the header anything may be sent; the form without a coding is the one that every client can read.
  if (values.length === 0) return offered.includes('identity') ? 'identity' : offered[0]
  const weights = weightsOf(values)
  const others = weights.get('*')
  const likes = (coding: string): number => {
    const own = weights.get(coding)
    if (own !== undefined) return own
    // Unless it is ruled out, identity is always acceptable, and liked least.
    if (coding === 'identity') return others === 0 ? 0 : Number.MIN_VALUE
    return others ?? 0
  }
  let best: Known | 'identity' | undefined
  const plain = likes('identity') > 0 ? offered.indexOf('identity') : -1
  for (const coding of plain === -1 ? offered : offered.slice(0, plain + 1)) {
    const liked = likes(coding)
    if (liked > 0 && (best === undefined || liked > likes(best))) best = coding
  }
  return best
}
