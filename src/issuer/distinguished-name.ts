/**
 * Writes a distinguished name as text, for people to read and for rules such as `CN=alice` to be compared with.
 *
 * The text is for showing. Nothing is ever parsed back from it: who needs one attribute asks the structure.
 *
 * Source: RFC 4514 2 (the most specific part first) and 2.4 (escapes).
 */

/** What @peculiar/x509 gives as `Name.toJSON()`: a list of relative names, each of one or more attributes. */
export type NameParts = readonly Readonly<Record<string, readonly string[]>>[]

/** As openssl prints them, where the library has a number or a letter of its own. */
const titles: Readonly<Record<string, string>> = {
  E: 'emailAddress',
  '2.5.4.4': 'SN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.9': 'street',
  '2.5.4.97': 'organizationIdentifier',
  '0.9.2342.19200300.100.1.1': 'UID',
}

export function formatName(parts: NameParts): string {
  return parts
    .toReversed()
    .map(part =>
      Object.entries(part).flatMap(([type, values]) =>
        values.map(value => `${titles[type] ?? type}=${escapeValue(value)}`),
      ),
    )
    .map(attributes => attributes.join('+'))
    .join(',')
}

/** The only common name, or undefined where there is none or several. */
export function soleCommonName(parts: NameParts): string | undefined {
  const names = parts.flatMap(part => part['CN'] ?? [])
  return names.length === 1 ? names[0] : undefined
}

function escapeValue(value: string): string {
  return (
    value
      .replace(/[\\,+"<>;=]/g, '\\$&')
      .replace(/^[ #]/, '\\$&')
      .replace(/ $/, '\\ ')
      // A line end or NUL in a name must not reach a terminal or a log as itself.
      .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, mark => Buffer.from(mark).toString('hex').replace(/../g, '\\$&'))
  )
}
