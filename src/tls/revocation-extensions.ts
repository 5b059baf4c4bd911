/**
 * Extensions of a revocation list and of its entries, and which certificates a list speaks of.
 *
 * What is critical and not known here refuses the list by name. Source: RFC 5280 5.2, 5.3 and 6.3.3 (b).
 */
import { DerReader, NotDer, oidText, tags } from './der-reader.ts'

export interface ReadExtension {
  readonly oid: string
  readonly critical: boolean
  readonly value: Buffer
}

/** Which of its issuer's certificates a list speaks of. */
export interface ListScope {
  readonly only: 'leaves' | 'authorities' | undefined
  /** GeneralNames as hexadecimal DER: certificates that name one of them as their distribution point. Undefined: all. */
  readonly points: readonly string[] | undefined
}

export const wholeScope: ListScope = { only: undefined, points: undefined }

const known = {
  list: new Set(['2.5.29.18', '2.5.29.20', '2.5.29.28', '2.5.29.35', '2.5.29.46', '1.3.6.1.5.5.7.1.1']),
  entry: new Set(['2.5.29.21', '2.5.29.23', '2.5.29.24']),
}
const indirect = 'it is an indirect list, which speaks for other authorities; give each authority its own'
const refused: Readonly<Record<string, string>> = {
  '2.5.29.27': 'it is a delta list, which says only what changed; give the complete list',
  '2.5.29.29': indirect,
}

/** @param reader  inside the SEQUENCE of extensions. Throws NotDer */
export function readExtensions(reader: DerReader): ReadExtension[] {
  const extensions: ReadExtension[] = []
  while (reader.more) {
    const extension = reader.next(tags.sequence).inside()
    const oid = oidText(extension.next(tags.oid).content())
    const critical = extension.skips(tags.boolean) && extension.content()[0] !== 0
    if (extensions.some(earlier => earlier.oid === oid)) throw new NotDer(`the extension ${oid} twice`)
    extensions.push({ oid, critical, value: extension.next(tags.octetString).content() })
  }
  return extensions
}

/** Why a list with these extensions cannot be used, or with these on one of its entries. */
export function objection(extensions: readonly ReadExtension[], where: keyof typeof known): string | undefined {
  for (const { oid, critical } of extensions) {
    if (refused[oid] !== undefined) return refused[oid]
    if (critical && !known[where].has(oid))
      return `it has a critical extension that is not known here (${oid}), so it cannot be understood`
  }
  return undefined
}

/** IssuingDistributionPoint. Throws NotDer */
export function readScope(value: Buffer): ListScope | { readonly mistake: string } {
  const point = new DerReader(value).next(tags.sequence).inside()
  const points = point.skips(tags.explicit(0)) ? fullNames(point.inside()) : undefined
  const isTrue = (number: number) => point.skips(tags.implicit(number)) && point.content()[0] !== 0
  const leaves = isTrue(1)
  const authorities = isTrue(2)
  if (point.skips(tags.implicit(3)))
    return { mistake: 'it names only some reasons of revocation; give the complete list' }
  if (isTrue(4)) return { mistake: indirect }
  if (isTrue(5)) return { mistake: 'it speaks of attribute certificates only' }
  if (leaves && authorities) return { mistake: 'it speaks of no certificate at all' }
  return { only: leaves ? 'leaves' : authorities ? 'authorities' : undefined, points }
}

/** DistributionPointName as hexadecimal DER of its names. A name relative to the issuer fits no certificate. */
function fullNames(reader: DerReader): string[] {
  const names: string[] = []
  if (!reader.skips(tags.explicit(0))) return names
  for (const name = reader.inside(); name.more; ) names.push(name.next().whole().toString('hex'))
  return names
}

/** CRLDistributionPoints of a certificate, as `ListScope.points` writes them. Throws NotDer */
export function distributionPoints(value: Buffer): string[] {
  const names: string[] = []
  for (const points = new DerReader(value).next(tags.sequence).inside(); points.more; ) {
    const point = points.next(tags.sequence).inside()
    if (point.skips(tags.explicit(0))) names.push(...fullNames(point.inside()))
  }
  return names
}
