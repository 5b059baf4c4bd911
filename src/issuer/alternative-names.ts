/**
 * Reads the alternative names of a certificate, each kind for itself.
 *
 * From the structure and not from Node's `subjectAltName` text: a name with a comma or a quote in it would have to be
 * parsed back out of that. Kinds that nobody signs in with (directory names, X.400) are passed over.
 *
 * Source: RFC 5280 4.2.1.6; CVE-2021-44532; [MS-WCCE] 2.2.2.7.7.1 (the user principal name).
 */
import { type BaseBlock, Constructed, ObjectIdentifier, OctetString, Utf8String } from 'asn1js'
import { AltName, Certificate } from 'pkijs'

export interface AlternativeNames {
  readonly dns: readonly string[]
  readonly addresses: readonly string[]
  readonly emails: readonly string[]
  readonly uris: readonly string[]
  /** User principal names, `alice@lab.example`: what Active Directory puts on smart cards. */
  readonly upns: readonly string[]
}

const extension = '2.5.29.17'
const userPrincipalName = '1.3.6.1.4.1.311.20.2.3'

/** @param der  a certificate that Node has already accepted as one */
export function alternativeNames(der: Uint8Array): AlternativeNames {
  const found = Certificate.fromBER(Uint8Array.from(der)).extensions?.find(({ extnID }) => extnID === extension)
  const names = found?.parsedValue instanceof AltName ? found.parsedValue.altNames : []
  const texts = (type: number) =>
    names.flatMap(name => (name.type === type && typeof name.value === 'string' ? [name.value] : []))
  return {
    dns: texts(2),
    emails: texts(1),
    uris: texts(6),
    addresses: names.flatMap(({ type, value }) => (type === 7 && value instanceof OctetString ? [address(value)] : [])),
    upns: names.flatMap(({ type, value }) => (type === 0 ? principalName(value) : [])),
  }
}

function address(value: OctetString): string {
  const bytes = Buffer.from(value.getValue())
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) return bytes.toString('hex')
  const groups = bytes.toString('hex').match(/.{4}/g) ?? []
  // The URL parser writes the short form of RFC 5952.
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
}

/** An otherName is an identifier and, in a wrapping of its own, a value. */
function principalName(value: unknown): string[] {
  const [kind, wrapped] = parts(value)
  if (!(kind instanceof ObjectIdentifier) || kind.valueBlock.toString() !== userPrincipalName) return []
  return parts(wrapped).flatMap(part => (part instanceof Utf8String ? [part.valueBlock.value] : []))
}

const parts = (block: unknown): BaseBlock[] => (block instanceof Constructed ? block.valueBlock.value : [])
