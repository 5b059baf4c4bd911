/**
 * Makes key pairs, and writes private keys as PEM.
 *
 * Elliptic curves are the default: small, quick, and understood by everything since 2012. RSA is for the devices that
 * do not. Those made here are extractable because they are made to be written to a file; the signing key of an authority that is
 * opened from one is not (see authority.ts).
 *
 * Source: RFC 5958 (PKCS#8); NIST SP 800-57 part 1, 5.6 (3072 bits RSA, 256 bits EC).
 */
import { createPrivateKey, createPublicKey, KeyObject, type webcrypto } from 'node:crypto'
import { IssuerRefusal } from './refusal.ts'

export type CryptoKey = webcrypto.CryptoKey
export type KeyPair = webcrypto.CryptoKeyPair

export type KeyKind = 'ec-p256' | 'ec-p384' | 'rsa-2048' | 'rsa-3072' | 'rsa-4096'

const rsa = (modulusLength: number) => ({
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength,
  publicExponent: new Uint8Array([1, 0, 1]),
  hash: 'SHA-256',
})

const generation = {
  'ec-p256': { name: 'ECDSA', namedCurve: 'P-256' },
  'ec-p384': { name: 'ECDSA', namedCurve: 'P-384' },
  'rsa-2048': rsa(2048),
  'rsa-3072': rsa(3072),
  'rsa-4096': rsa(4096),
} as const satisfies Record<KeyKind, object>

export const keyKinds = Object.keys(generation) as readonly KeyKind[] // safe: `satisfies` holds the keys to KeyKind

export function generateKeys(kind: KeyKind): Promise<KeyPair> {
  return crypto.subtle.generateKey(generation[kind], true, ['sign', 'verify'])
}

/** PEM, PKCS#8, not encrypted: fit for a file with mode 0600 only. */
export function privateKeyPem(key: CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString()
}

export function privateKeyDer(key: CryptoKey): Buffer {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'der' })
}

const curves: Readonly<Record<string, string>> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' }
/** NIST SP 800-131A: fewer bits are not to be signed any more. */
const fewestRsaBits = 2048

/** Undefined: of a kind that nothing here signs with. */
export function signingTerms(
  key: KeyObject,
): webcrypto.EcKeyImportParams | webcrypto.RsaHashedImportParams | undefined {
  if (key.asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const namedCurve = curves[key.asymmetricKeyDetails?.namedCurve ?? '']
  return namedCurve === undefined ? undefined : { name: 'ECDSA', namedCurve }
}

/**
 * The pair of a private key that is there already, so that a new certificate can be made for it. Code: `key-unusable`.
 *
 * @param pem  RSA of 2048 bits or more, or a NIST curve; not encrypted
 */
export function keyPairFrom(pem: string): KeyPair {
  if (pem.includes('ENCRYPTED')) throw unusable('is encrypted')
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch (cause) {
    throw unusable('is not a private key in PEM', cause)
  }
  const terms = signingTerms(key)
  if (terms === undefined) throw unusable(`is of a kind that is not used here: ${key.asymmetricKeyType}`)
  const bits = key.asymmetricKeyDetails?.modulusLength
  if (bits !== undefined && bits < fewestRsaBits) throw unusable(`has ${bits} bits, and RSA needs ${fewestRsaBits}`)
  return {
    privateKey: key.toCryptoKey(terms, true, ['sign']),
    publicKey: createPublicKey(key).toCryptoKey(terms, true, ['verify']),
  }
}

const unusable = (why: string, cause?: unknown) => new IssuerRefusal('key-unusable', `the key ${why}`, { cause })

/** The digest goes with the strength of the key that signs: P-384 with SHA-384, all else with SHA-256. */
export function signingAlgorithm(key: CryptoKey): { name: string; hash: string } {
  const strong = 'namedCurve' in key.algorithm && key.algorithm.namedCurve === 'P-384'
  return { name: key.algorithm.name, hash: strong ? 'SHA-384' : 'SHA-256' }
}
