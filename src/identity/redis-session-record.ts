/**
 * A session as it stands in Redis, under the SHA-256 of its cookie.
 */
import { z } from 'zod'
import type { Session } from './session-store.ts'

const Written = z.strictObject({
  id: z.string(),
  name: z.string(),
  realm: z.string(),
  groups: z.array(z.string()),
  by: z.literal('password'),
  from: z.string(),
  createdAt: z.number(),
})
export type WrittenSession = z.output<typeof Written>

export interface Known {
  /** As it stands in Redis. */
  readonly text: string
  readonly written: WrittenSession
  readonly groups: ReadonlySet<string>
  /** Milliseconds since 1970; by what is known here. */
  lastUsedAt: number
}

/** Undefined: what stands there cannot be read, and lets nobody in. */
export function readSession(text: string): WrittenSession | undefined {
  try {
    return Written.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

export const sessionOf = (
  { written: { groups: _, ...rest }, groups, lastUsedAt }: Known,
  { idle, absolute }: { readonly idle: number; readonly absolute: number },
): Session => ({
  ...{ ...rest, groups, lastUsedAt },
  endsAt: Math.min(rest.createdAt + absolute, lastUsedAt + idle),
})
