/**
 * Reads the fields of a form, as long as it is small and is one.
 *
 * Not to forget: a field that comes twice could be read in two ways, so such a form is none.
 * Source: WHATWG URL 5.1 (application/x-www-form-urlencoded).
 */
import { type Exchange, soleHeader } from '../listener/exchange.ts'

const largest = 8 * 1024

export interface Form {
  /** Empty when the field did not come. */
  field(name: string): string
}

/** Rejects with ClientGone when the client leaves before the end. */
export async function readForm({ request, reply }: Exchange): Promise<Form | 'too-large' | 'no-form'> {
  const type = soleHeader(request.headers, 'content-type') ?? ''
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) return 'no-form'
  if ((request.length ?? 0) > largest) return 'too-large'
  if (request.expectsContinue) reply.continue()

  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.length
    if (size > largest) return 'too-large'
    chunks.push(chunk)
  }
  const fields = new URLSearchParams(Buffer.concat(chunks).toString('utf8'))
  if (new Set(fields.keys()).size !== fields.size) return 'no-form'
  return { field: name => fields.get(name) ?? '' }
}
