/**
 * Fetches a revocation list over HTTP, with an end to everything: time, size, redirections.
 *
 * What came may be anything: lists carry their own signature, so plain http is as good as https here (and is what
 * authorities publish under, RFC 5280 8). What does not come is a value with its reason, never an exception.
 */
import type { Dispatcher, request } from 'undici'
import { causeLine } from '../kernel/fault.ts'
import { platformAuthorities } from './platform-authorities.ts'

export interface FetchTerms {
  /** Milliseconds to a connection, to an answer, from one piece of the body to the next, and for all together. */
  readonly connect: number
  readonly answer: number
  readonly pause: number
  readonly whole: number
  readonly bytes: number
  readonly redirections: number
}

export const fetchTerms: FetchTerms = {
  connect: 5_000,
  answer: 10_000,
  pause: 15_000,
  whole: 120_000,
  bytes: 64 * 1024 ** 2,
  redirections: 3,
}

/** What a server may be asked with, to be spared the same list again. */
export interface Validators {
  readonly etag?: string
  readonly lastModified?: string
}

export type Fetched =
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly validators: Validators }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'failed'; readonly why: string }

const failed = (why: string): Fetched => ({ kind: 'failed', why })
const redirects = [301, 302, 303, 307, 308]

export interface FetchOptions {
  readonly validators?: Validators
  readonly signal?: AbortSignal
  readonly terms?: FetchTerms
}

export async function fetchBytes(
  address: string,
  { validators = {}, signal, terms = fetchTerms }: FetchOptions = {},
): Promise<Fetched> {
  const deadline = AbortSignal.timeout(terms.whole)
  // Only where lists come from elsewhere: it takes five megabytes of each process.
  const { Agent, request } = await import('undici')
  const agent = new Agent({
    connect: { timeout: terms.connect, ca: [...platformAuthorities()] },
    headersTimeout: terms.answer,
    bodyTimeout: terms.pause,
    pipelining: 0,
  })
  try {
    return await follow(address, {
      request,
      dispatcher: agent,
      signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
      headers: {
        accept: 'application/pkix-crl, application/x-pem-file, */*;q=0.5',
        'accept-encoding': 'identity',
        'user-agent': 'sallyport',
        ...(validators.etag === undefined ? {} : { 'if-none-match': validators.etag }),
        ...(validators.lastModified === undefined ? {} : { 'if-modified-since': validators.lastModified }),
      },
      terms,
    })
  } catch (cause) {
    // The signal's own words ("aborted due to timeout") say less than this.
    return failed(deadline.aborted ? `it did not come within ${terms.whole / 1_000} s` : causeLine(cause))
  } finally {
    await agent.destroy()
  }
}

interface Journey {
  readonly request: typeof request
  readonly dispatcher: Dispatcher
  readonly signal: AbortSignal
  readonly headers: Record<string, string>
  readonly terms: FetchTerms
}

async function follow(address: string, { request, dispatcher, signal, headers, terms }: Journey): Promise<Fetched> {
  let url = address
  for (let hop = 0; hop <= terms.redirections; hop++) {
    const answer = await request(url, { dispatcher, signal, headers })
    const { statusCode, body } = answer
    const header = (name: string) => {
      const value = answer.headers[name]
      return typeof value === 'string' ? value : undefined
    }
    const location = header('location')
    if (statusCode === 200) return await readBody(answer, header, terms)
    // What is left of an answer is of no interest, nor how it ends.
    body.on('error', () => undefined).destroy()
    if (statusCode === 304) return { kind: 'unchanged' }
    if (!redirects.includes(statusCode)) return failed(`the server answers with status ${statusCode}`)
    if (location === undefined || !URL.canParse(location, url)) return failed('the server redirects to nowhere')
    const next = new URL(location, url)
    if (next.protocol !== 'http:' && next.protocol !== 'https:')
      return failed(`the server redirects to ${next.protocol}//, which is not followed`)
    url = next.href
  }
  return failed(`the server redirects more than ${terms.redirections} times`)
}

async function readBody(
  { body }: Dispatcher.ResponseData,
  header: (name: string) => string | undefined,
  { bytes }: FetchTerms,
): Promise<Fetched> {
  const tooLarge = failed(`it is larger than ${bytes} bytes`)
  if (Number(header('content-length') ?? 0) > bytes) {
    body.on('error', () => undefined).destroy()
    return tooLarge
  }
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of body) {
    size += piece.length
    if (size > bytes) return tooLarge // leaving the loop destroys the body
    pieces.push(piece)
  }
  const etag = header('etag')
  const lastModified = header('last-modified')
  const validators = {
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified }),
  }
  return { kind: 'bytes', bytes: Buffer.concat(pieces), validators }
}
