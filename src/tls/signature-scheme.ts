/**
 * AlgorithmIdentifier -> what node:crypto needs to hold a signature against a key.
 *
 * MD5 and SHA-1 are refused by name: whoever can make two lists with one digest can empty a list. The kind of the key
 * must be that of the algorithm, or a signature would be read by rules that it was not made by.
 * Source: RFC 4055 (RSA, RSA-PSS), RFC 5758 (ECDSA), RFC 8410 (Ed25519, Ed448).
 */
import { constants, type KeyObject, verify } from 'node:crypto'
import { type DerReader, oidText, tags } from './der-reader.ts'

export interface SignatureScheme {
  readonly keys: readonly KeyObject['asymmetricKeyType'][]
  /** Null: the algorithm brings its own. */
  readonly digest: 'sha256' | 'sha384' | 'sha512' | null
  /** RSA-PSS. */
  readonly saltLength?: number
}

const rsa = ['rsa'] as const
const elliptic = ['ec'] as const
const schemes: Readonly<Record<string, SignatureScheme>> = {
  '1.2.840.113549.1.1.11': { keys: rsa, digest: 'sha256' },
  '1.2.840.113549.1.1.12': { keys: rsa, digest: 'sha384' },
  '1.2.840.113549.1.1.13': { keys: rsa, digest: 'sha512' },
  '1.2.840.10045.4.3.2': { keys: elliptic, digest: 'sha256' },
  '1.2.840.10045.4.3.3': { keys: elliptic, digest: 'sha384' },
  '1.2.840.10045.4.3.4': { keys: elliptic, digest: 'sha512' },
  '1.3.101.112': { keys: ['ed25519'], digest: null },
  '1.3.101.113': { keys: ['ed448'], digest: null },
}
const broken: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.4': 'MD5',
  '1.2.840.113549.1.1.5': 'SHA-1',
  '1.2.840.10045.4.1': 'SHA-1',
  '1.2.840.10040.4.3': 'SHA-1',
}
const digests: Readonly<Record<string, 'sha256' | 'sha384' | 'sha512'>> = {
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
}
const rsaPss = '1.2.840.113549.1.1.10'
const mgf1 = '1.2.840.113549.1.1.8'

/** @param algorithm  an AlgorithmIdentifier. Throws NotDer */
export function signatureScheme(algorithm: DerReader): SignatureScheme | { readonly mistake: string } {
  const oid = oidText(algorithm.next(tags.oid).content())
  if (oid === rsaPss) return pssScheme(algorithm)
  const weak = broken[oid]
  if (weak !== undefined) return { mistake: `it is signed with ${weak}, which is broken; have it signed with SHA-256` }
  return schemes[oid] ?? { mistake: `it is signed by an algorithm that is not known here (${oid})` }
}

/** RSASSA-PSS-params. What is left out there stands for SHA-1. */
function pssScheme(algorithm: DerReader): SignatureScheme | { readonly mistake: string } {
  const parameters = algorithm.next(tags.sequence).inside()
  let digest: string | undefined
  let maskDigest: string | undefined
  let saltLength = 20
  const oidIn = (reader: DerReader) => oidText(reader.next(tags.oid).content())
  if (parameters.skips(tags.explicit(0))) digest = oidIn(parameters.inside().next(tags.sequence).inside())
  if (parameters.skips(tags.explicit(1))) {
    const mask = parameters.inside().next(tags.sequence).inside()
    if (oidIn(mask) === mgf1) maskDigest = oidIn(mask.next(tags.sequence).inside())
  }
  if (parameters.skips(tags.explicit(2)))
    saltLength = Number.parseInt(parameters.inside().next(tags.integer).integerKey(), 16)
  const known = digests[digest ?? '']
  if (known === undefined || digest !== maskDigest || parameters.more)
    return { mistake: 'it is signed by RSA-PSS with digests other than SHA-256, SHA-384 or SHA-512' }
  // Below zero node:crypto takes it for "whatever length was used".
  if (!(saltLength >= 0 && saltLength <= 512)) return { mistake: 'it is signed by RSA-PSS with an impossible salt' }
  return { keys: ['rsa', 'rsa-pss'], digest: known, saltLength }
}

/** False for another kind of key too. */
export function isSignedBy(bytes: Buffer, signature: Buffer, scheme: SignatureScheme, key: KeyObject): boolean {
  if (!scheme.keys.includes(key.asymmetricKeyType)) return false
  const pss =
    scheme.saltLength === undefined ? {} : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: scheme.saltLength }
  return verify(scheme.digest, bytes, { key, ...pss }, signature)
}
