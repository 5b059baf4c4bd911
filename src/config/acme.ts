/**
 * A certificate that an ACME authority gives and renews, as written: from whom, for which names.
 *
 * Nothing is asked here. Who writes such a section agrees to the terms of that authority: it wants to be told so.
 *
 * Source: RFC 8555 7.1.1 (directory), 7.3 (contact, external account binding); RFC 1123 2.1, RFC 5890 (names).
 */
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { z } from 'zod'
import type { FileScalars } from './scalars.ts'

const Directory = z.string().transform((text, context): URL => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'https:' && url.username === '' && url.password === '' && url.hash === '') return url
  context.addIssue({ code: 'custom', message: 'write the https:// URL of the directory of an ACME authority' })
  return z.NEVER
})

const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/

/** A name of the DNS in its ASCII form, lower case. */
const DnsName = z.string().transform((text, context): string => {
  const refuse = (message: string) => {
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  const bare = text.replace(/^\[(.*)\]$/, '$1')
  if (isIP(bare) !== 0) return refuse(`"${text}" is an address: only names are asked for; write DNS names`)
  if (text.startsWith('*.')) return refuse(`"${text}" cannot be proven over HTTP (http-01): name each host`)
  // domainToASCII reads a host out of more than hosts: it cuts at a slash, and decodes what stands behind a percent sign.
  const ascii = /^[\x21-\x7e]*$/.test(text) ? text.toLowerCase() : /[/?#%@:\\\s]/.test(text) ? '' : domainToASCII(text)
  const labels = ascii.split('.')
  // The last label is never a number: URL parsers take "1.2" and "0x7f.1" for addresses.
  const isNumber = /^(\d+|0x[\da-f]*)$/.test(labels.at(-1) ?? '')
  const whole = ascii.length <= 253 && !isNumber && labels.every(part => label.test(part))
  return whole ? ascii : refuse(`"${text}" is no name of the DNS`)
})

/** One address, as a mailto: URL takes it without escapes and without header fields (RFC 8555 7.3). */
const Email = z.string().regex(/^[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+$/, 'write one e-mail address')

export const acmeSection = ({ File, SecretRef }: FileScalars) =>
  z.strictObject({
    directory: Directory,
    /** Told to the authority, which may write to it before a certificate ends. */
    email: Email.optional(),
    names: z
      .array(DnsName)
      .min(1)
      .max(100, 'at most 100 names in one certificate')
      .transform(names => [...new Set(names)]),
    /** Whom to trust for the directory itself, if it is not an authority that the platform knows. */
    ca: File.optional(),
    /** External account binding: for authorities that know their customers. */
    eab: z.strictObject({ kid: z.string().min(1).max(256), key: SecretRef }).optional(),
  })

export type AcmeSection = z.output<ReturnType<typeof acmeSection>>
