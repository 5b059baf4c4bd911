/**
 * What an ACME authority answers, checked: only what we read of it, and every text bounded by the size of the answer.
 *
 * Source: RFC 8555 7.1 (resources), 6.7 (problem documents); RFC 9457.
 */
import { z } from 'zod'
import { plainText } from './failure.ts'

const Problem = z.object({
  type: z.string().default('about:blank'),
  detail: z.string().default(''),
  subproblems: z
    .array(z.object({ detail: z.string().default(''), identifier: z.object({ value: z.string() }).optional() }))
    .default([]),
})

export type Problem = z.output<typeof Problem>

export const Directory = z.object({ newNonce: z.url(), newAccount: z.url(), newOrder: z.url() })

export type Directory = z.output<typeof Directory>

export const Account = z.object({ status: z.string(), contact: z.array(z.string()).default([]) })

export const Order = z.object({
  status: z.enum(['pending', 'ready', 'processing', 'valid', 'invalid']),
  authorizations: z.array(z.url()).max(200),
  finalize: z.url(),
  certificate: z.url().optional(),
  error: Problem.optional(),
})

export const Challenge = z.object({
  type: z.string(),
  url: z.url(),
  status: z.string(),
  /** Only the challenges that have one; it becomes part of a path on our plain listener. */
  token: z
    .string()
    .regex(/^[A-Za-z0-9_-]{16,256}$/)
    .optional(),
  error: Problem.optional(),
})

export const Authorization = z.object({
  identifier: z.object({ value: z.string() }),
  status: z.enum(['pending', 'valid', 'invalid', 'deactivated', 'expired', 'revoked']),
  challenges: z.array(Challenge).max(50),
})

/** A problem document as one line: its short type, its detail, and what it says of single names. */
export function problemText({ type, detail, subproblems }: Problem): string {
  const parts = subproblems.map(part => `${part.identifier?.value ?? 'one name'}: ${part.detail}`)
  const short = type.replace('urn:ietf:params:acme:error:', '')
  return plainText([`${detail} (${short})`, ...parts].join('; '))
}

/** Of a failed answer, whatever it holds. */
export function problemOf(text: string): Problem | undefined {
  try {
    return Problem.safeParse(JSON.parse(text)).data
  } catch {
    return undefined // not JSON: a page of some proxy in between
  }
}
