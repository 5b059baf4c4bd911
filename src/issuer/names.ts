/**
 * Which names may stand in a certificate.
 *
 * A name is a value, never a piece of syntax: the caller puts it into the structure whole, so `a, CN=admin` is one odd
 * common name and not two. What no reader could tell from another name (control characters, direction marks, half
 * characters, blanks at the ends) is refused, because people and programs would disagree on who it is.
 *
 * Source: RFC 5280 4.2.1.6 and A.1 (ub-common-name); RFC 1123 2.1; RFC 6125 6.4.3 (wildcards); CVE-2021-44532.
 */
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { IssuerRefusal } from './refusal.ts'

// Control characters, line and paragraph separators, and the marks that make text run backwards or vanish.
const unreadable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u
const longestCommonName = 64

/** A common name of 1 to 64 characters. */
export function checkCommonName(name: string): string {
  if (name.trim() === '') throw invalid(name, 'is empty')
  if (!name.isWellFormed()) throw invalid(name, 'is not valid Unicode')
  if (unreadable.test(name)) throw invalid(name, 'has a control or invisible character in it')
  if (name !== name.trim()) throw invalid(name, 'begins or ends with a blank')
  if ([...name].length > longestCommonName) throw invalid(name, `is longer than ${longestCommonName} characters`)
  return name
}

/** A host name in lower case and in ASCII (`münchen.example` becomes `xn--mnchen-3ya.example`); `*.` may lead. */
export function checkDnsName(name: string): string {
  const rooted = name.endsWith('.') ? name.slice(0, -1) : name
  const wildcard = rooted.startsWith('*.')
  const host = asciiHost(wildcard ? rooted.slice(2) : rooted)
  const labels = host.split('.')
  const sound = labels.every(label => /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/.test(label))
  if (!sound || host.length > 253) throw invalid(name, 'is not a host name')
  // The last label of a host name is never a number; URL parsers would take `1.2.3` for an address.
  if (/^(\d+|0x[\da-f]*)$/.test(labels.at(-1) ?? '')) throw invalid(name, 'is neither a host name nor an address')
  if (wildcard && labels.length < 2) throw invalid(name, 'is a wildcard for a whole top level domain')
  return wildcard ? `*.${host}` : host
}

/** An IPv4 or IPv6 address in its short form. */
export function checkAddress(address: string): string {
  const version = isIP(address)
  if (version === 0 || address.includes('%')) throw invalid(address, 'is not an IP address')
  if (version === 4) return address
  // The short form, without an IPv4 tail: @peculiar/x509 2.2 encodes `::ffff:1.2.3.4` as `::ffff:1`.
  return new URL(`http://[${address}]/`).hostname.slice(1, -1)
}

export function checkEmail(email: string): string {
  const at = email.lastIndexOf('@')
  const local = email.slice(0, at)
  if (at < 1 || !/^[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}$/i.test(local)) throw invalid(email, 'is not an e-mail address')
  return `${local}@${checkDnsName(email.slice(at + 1))}`
}

/** The names of a server, sorted into what a certificate keeps apart. The first is the common name. */
export interface ServerNames {
  readonly commonName: string
  readonly dns: readonly string[]
  readonly addresses: readonly string[]
}

/** An address among the names counts as an address: browsers look for one only in iPAddress (RFC 6125 6.5 note). */
export function sortServerNames(names: readonly string[], addresses: readonly string[] = []): ServerNames {
  const dns = new Set<string>()
  const ips = new Set<string>()
  for (const name of names) {
    if (isIP(name) === 0) dns.add(checkDnsName(name))
    else ips.add(checkAddress(name))
  }
  for (const address of addresses) ips.add(checkAddress(address))
  const first = names[0] ?? addresses[0]
  if (first === undefined) throw new IssuerRefusal('name-invalid', 'a server certificate needs a name or an address')
  const commonName = checkCommonName(isIP(first) === 0 ? checkDnsName(first) : checkAddress(first))
  return { commonName, dns: [...dns], addresses: [...ips] }
}

/** The name as the stem of a file name: never a path, never hidden, the same on all systems. */
export function fileStem(name: string): string {
  const stem = name
    .normalize('NFC')
    .replace(/[^\p{L}\p{N}._@-]+/gu, '_')
    .replace(/^[.-]+/, '_')
  return stem === '' ? '_' : stem
}

function asciiHost(host: string): string {
  if (/^[\x21-\x7e]*$/.test(host)) return host.toLowerCase()
  // domainToASCII also decodes percent escapes, which would let any character in by the back door.
  return host.includes('%') || unreadable.test(host) ? '' : domainToASCII(host)
}

/** The name is quoted as JSON: what is wrong with it is often something that a terminal must not be shown raw. */
const invalid = (name: string, why: string) => {
  const shown = JSON.stringify(name).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, mark => {
    return `\\u{${(mark.codePointAt(0) ?? 0).toString(16)}}`
  })
  return new IssuerRefusal('name-invalid', `the name ${shown} ${why}`)
}
