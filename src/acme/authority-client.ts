/**
 * Talks to one ACME authority: signed requests, nonces, bounded answers.
 *
 * It knows nothing of orders. Not to forget: every URL that the authority names must lie on the origin of its directory,
 * and no redirect is followed: an authority must not be able to send us through our own network.
 *
 * Source: RFC 8555 6.1 (User-Agent), 6.3 (POST-as-GET), 6.5 (nonces: a rejected one is tried again), 6.7.
 */
import type { KeyObject } from 'node:crypto'
import type { z } from 'zod'
import { Directory, problemOf, problemText } from './answers.ts'
import { AcmeFailure } from './failure.ts'
import { signedBody } from './signed-body.ts'

export interface AuthorityTerms {
  readonly directory: URL
  /** Whom to believe that this is the authority; undefined: those whom the platform knows. */
  readonly ca: readonly string[] | undefined
  readonly key: KeyObject
  /** Ends everything that is under way. */
  readonly signal: AbortSignal
}

export interface AuthorityAnswer {
  readonly status: number
  readonly text: string
  /** What a Location header names. */
  readonly location: string | undefined
  /** Milliseconds; 0 without a Retry-After header. */
  readonly retryAfter: number
  /** Type of the problem document; undefined where the answer is good. */
  readonly problem: string | undefined
}

export interface Authority extends AsyncDisposable {
  readonly directory: Directory
  /** URL of the account, once it is known. */
  account: string | undefined
  /** Rejects with an AcmeFailure when the answer is a problem, unless its type is among `expected`. */
  post(url: string, payload: object | undefined, expected?: readonly string[]): Promise<AuthorityAnswer>
}

/** For a single request. Authorities answer at once, and let us ask again for what takes longer. */
const patience = 30_000
const connectPatience = 10_000
/** A chain of certificates is 5 to 10 KB. */
const largestAnswer = 256 * 1024
const nonceTries = 8
const longestRetryAfter = 86_400_000

const untrusted = /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA|INVALID_PURPOSE|ERR_TLS_CERT|HOSTNAME_)/

/** Reads the directory. Rejects with an AcmeFailure. */
export async function openAuthority({ directory, ca, key, signal }: AuthorityTerms): Promise<Authority> {
  // Orders are rare, and it is large: what has none does not hold it in memory.
  const { Client } = await import('undici')
  const client = new Client(directory.origin, {
    // HTTP/1.1 only, and every connection proves itself anew: a resumed session skips the check of the name in Node.
    allowH2: false,
    maxCachedSessions: 0,
    connect: {
      timeout: connectPatience,
      minVersion: 'TLSv1.2',
      // Said here, because a variable of the environment can turn the check off for the whole process.
      rejectUnauthorized: true,
      ...(ca === undefined ? {} : { ca: [...ca] }),
    },
    headersTimeout: patience,
    bodyTimeout: patience,
    maxResponseSize: largestAnswer,
  })
  let nonce: string | undefined

  const send = async (method: 'GET' | 'HEAD' | 'POST', url: string, body?: object): Promise<AuthorityAnswer> => {
    const { origin, pathname, search } = new URL(url)
    if (origin !== directory.origin) throw new AcmeFailure('refused', `the authority sends us elsewhere, to ${origin}`)
    let status: number
    let headers: Record<string, string | string[] | undefined>
    let text: string
    try {
      const answer = await client.request({
        method,
        path: `${pathname}${search}`,
        headers: {
          'user-agent': 'sallyport',
          ...(body === undefined ? {} : { 'content-type': 'application/jose+json' }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.any([signal, AbortSignal.timeout(patience)]),
      })
      status = answer.statusCode
      headers = answer.headers
      text = await answer.body.text()
    } catch (cause) {
      throw unanswered(cause, directory.host)
    }
    nonce = headerOf(headers, 'replay-nonce') ?? nonce
    const retryAfter = retryAfterOf(headerOf(headers, 'retry-after'))
    const good = status >= 200 && status < 300
    const problem = good ? undefined : problemOf(text)
    return {
      status,
      text,
      location: headerOf(headers, 'location'),
      retryAfter,
      problem: good ? undefined : (problem?.type ?? 'about:blank'),
    }
  }

  const failed = (url: string, answer: AuthorityAnswer): AcmeFailure => {
    const problem = problemOf(answer.text)
    const said = problem === undefined || problem.detail === '' ? `status ${answer.status}` : problemText(problem)
    return new AcmeFailure('refused', `${new URL(url).pathname}: ${said}`, { retryAfter: answer.retryAfter })
  }

  const freshNonce = async (): Promise<string> => {
    const known = nonce
    nonce = undefined // each is good for one request
    if (known !== undefined) return known
    const answer = await send('HEAD', resources.newNonce)
    const given = nonce
    nonce = undefined
    if (given === undefined) throw failed(resources.newNonce, answer)
    return given
  }

  const authority: Omit<Authority, 'directory'> = {
    account: undefined,
    async post(url, payload, expected = []) {
      for (let left = nonceTries; ; left--) {
        const terms = { url, nonce: await freshNonce(), account: authority.account }
        const answer = await send('POST', url, signedBody(key, payload, terms))
        if (answer.problem === undefined || expected.includes(answer.problem)) return answer
        if (answer.problem !== 'urn:ietf:params:acme:error:badNonce' || left === 0) throw failed(url, answer)
      }
    },
    [Symbol.asyncDispose]: () => client.destroy(),
  }

  let resources: Directory
  try {
    const answer = await send('GET', directory.href)
    if (answer.problem !== undefined) throw failed(directory.href, answer)
    resources = readAnswer(Directory, answer.text, 'the directory')
  } catch (cause) {
    await client.destroy()
    throw cause
  }
  return Object.assign(authority, { directory: resources })
}

/** @param what  named when it cannot be read */
export function readAnswer<Shape extends z.ZodType>(shape: Shape, text: string, what: string): z.output<Shape> {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new AcmeFailure('refused', `${what} is not JSON`, { cause })
  }
  const read = shape.safeParse(json)
  if (read.success) return read.data
  const where = read.error.issues[0]?.path.join('.') ?? ''
  throw new AcmeFailure('refused', `${what} is not what RFC 8555 says it is${where === '' ? '' : ` (at ${where})`}`)
}

function headerOf(headers: Record<string, string | string[] | undefined>, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

/** Seconds or a date, as milliseconds from now. */
function retryAfterOf(header: string | undefined): number {
  if (header === undefined) return 0
  const wait = /^\d{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isNaN(wait) ? 0 : Math.min(Math.max(wait, 0), longestRetryAfter)
}

function unanswered(cause: unknown, host: string): AcmeFailure {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (untrusted.test(code))
    return new AcmeFailure('unreachable', `${host} did not prove to be the authority; name its issuer as ca`, { cause })
  return new AcmeFailure('unreachable', `${host} did not answer`, { cause })
}
