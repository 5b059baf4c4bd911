/**
 * Signs what is sent to an ACME authority, with the key of the account (ES256) or a key that was agreed on (HS256).
 *
 * Source: RFC 7515 7.2.2 (flattened JSON), RFC 7518 3.4 (ES256 is r and s, not DER), RFC 7638 (thumbprint),
 * RFC 8555 6.2, 7.3.4 (external account binding), 8.1 (key authorization).
 */
import { createHash, createHmac, createPublicKey, type KeyObject, sign } from 'node:crypto'
import type { Secret } from '../kernel/secret.ts'

/** In the order in which RFC 7638 wants the members. */
export interface PublicJwk {
  readonly crv: string
  readonly kty: string
  readonly x: string
  readonly y: string
}

/** @param key  private, EC P-256 */
export function publicJwk(key: KeyObject): PublicJwk {
  const { crv = '', kty = '', x = '', y = '' } = createPublicKey(key).export({ format: 'jwk' })
  return { crv, kty, x, y }
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

export interface Signed {
  readonly protected: string
  readonly payload: string
  readonly signature: string
}

const seal = (header: object, payload: unknown, signatureOf: (text: string) => Buffer): Signed => {
  const parts = { protected: encode(header), payload: payload === undefined ? '' : encode(payload) }
  return { ...parts, signature: signatureOf(`${parts.protected}.${parts.payload}`).toString('base64url') }
}

export interface BodyTerms {
  readonly url: string
  readonly nonce: string
  /** URL of the account; undefined while it is not known: the key itself then stands in the header. */
  readonly account: string | undefined
}

/** @param payload  undefined: a read (POST-as-GET, RFC 8555 6.3) */
export function signedBody(key: KeyObject, payload: object | undefined, { url, nonce, account }: BodyTerms): Signed {
  const who = account === undefined ? { jwk: publicJwk(key) } : { kid: account }
  return seal({ alg: 'ES256', ...who, nonce, url }, payload, text =>
    sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }),
  )
}

/** Ties a new account to a customer that the authority knows. @param secret  base64url, as authorities hand it out */
export function boundAccount(key: KeyObject, url: string, kid: string, secret: Secret): Signed {
  const mac = Buffer.from(secret.reveal(), 'base64url')
  return seal({ alg: 'HS256', kid, url }, publicJwk(key), text => createHmac('sha256', mac).update(text).digest())
}

/** What must be found under a token: proves that who serves it holds the account. */
export const keyAuthorization = (key: KeyObject, token: string): string =>
  `${token}.${createHash('sha256')
    .update(JSON.stringify(publicJwk(key)))
    .digest('base64url')}`
