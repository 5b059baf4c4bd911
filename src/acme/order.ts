/**
 * One order, from its names to its certificate.
 *
 * Nothing is kept here. Not to forget: all names are offered before any is waited for, because an authority may look at
 * several at one time; and whatever ends the order, no token stays behind.
 *
 * Source: RFC 8555 7.1.6 (states), 7.4 (order), 7.4.2 (download), 7.5 (authorizations), 8.3 (http-01).
 */
import type { KeyObject } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { z } from 'zod'
import { Authorization, type Challenge, Order, problemText } from './answers.ts'
import { type Authority, readAnswer } from './authority-client.ts'
import type { Challenges } from './challenges.ts'
import { AcmeFailure, plainText } from './failure.ts'
import { keyAuthorization } from './signed-body.ts'

export interface OrderTerms {
  readonly names: readonly string[]
  /** Certificate signing request, DER. */
  readonly request: Buffer
  readonly accountKey: KeyObject
  readonly challenges: Pick<Challenges, 'set' | 'delete'>
  readonly signal: AbortSignal
}

const firstWait = 100
const longestWait = 10_000

/** @returns the certificate and its chain, as the authority sent them. Rejects with an AcmeFailure. */
export async function orderCertificate(authority: Authority, terms: OrderTerms): Promise<string> {
  const { names, request, accountKey, challenges, signal } = terms
  const tokens: string[] = []
  try {
    // 1. Say which names are wanted.
    const identifiers = names.map(value => ({ type: 'dns', value }))
    const placed = await authority.post(authority.directory.newOrder, { identifiers })
    const url = placed.location
    if (url === undefined) throw new AcmeFailure('refused', 'the authority gave the order no URL')
    let order = readAnswer(Order, placed.text, 'the order')

    // 2. Offer every name that is not proven already.
    for (const link of order.authorizations) {
      const { text } = await authority.post(link, undefined)
      const authorization = readAnswer(Authorization, text, 'the authorization')
      if (authorization.status !== 'pending') continue
      const { url, token } = httpChallenge(authorization)
      tokens.push(token)
      await challenges.set(token, keyAuthorization(accountKey, token))
      await authority.post(url, {})
    }

    // 3. Wait until the authority has seen each.
    for (const link of order.authorizations) {
      const seen = await settled(authority, link, Authorization, signal)
      if (seen.status !== 'valid') throw new AcmeFailure('refused', whyNot(seen))
    }

    // 4. Ask for the certificate, and wait for it.
    order = await settled(authority, url, Order, signal)
    if (order.status === 'ready') {
      await authority.post(order.finalize, { csr: request.toString('base64url') })
      order = await settled(authority, url, Order, signal)
    }
    if (order.status !== 'valid' || order.certificate === undefined) {
      const why = order.error === undefined ? `the order ended as ${order.status}` : problemText(order.error)
      throw new AcmeFailure('refused', why)
    }
    return (await authority.post(order.certificate, undefined)).text
  } finally {
    for (const token of tokens) challenges.delete(token)
  }
}

/** Asks until something comes of it. The signal ends it, however long the authority takes. */
async function settled<Shape extends z.ZodType<{ status: string }>>(
  authority: Authority,
  url: string,
  shape: Shape,
  signal: AbortSignal,
): Promise<z.output<Shape>> {
  for (let wait = firstWait; ; wait = Math.min(wait * 2, longestWait)) {
    const { text, retryAfter } = await authority.post(url, undefined)
    const state = readAnswer(shape, text, 'the answer')
    if (state.status !== 'pending' && state.status !== 'processing') return state
    await pause(Math.max(wait, Math.min(retryAfter, longestWait)), undefined, { signal })
  }
}

function httpChallenge({ identifier, challenges }: z.output<typeof Authorization>): { url: string; token: string } {
  const found = challenges.find(({ type, token }) => type === 'http-01' && token !== undefined)
  if (found?.token !== undefined) return { url: found.url, token: found.token }
  throw new AcmeFailure('refused', `the authority does not take http-01 for ${plainText(identifier.value)}`)
}

function whyNot({ identifier, status, challenges }: z.output<typeof Authorization>): string {
  const error = challenges
    .map((challenge: z.output<typeof Challenge>) => challenge.error)
    .find(one => one !== undefined)
  const why = error === undefined ? status : problemText(error)
  return `${plainText(identifier.value)} could not be proven: ${why}`
}
