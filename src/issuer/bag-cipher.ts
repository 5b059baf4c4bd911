/**
 * Encrypts and decrypts what lies inside a PKCS#12 file, and a PKCS#8 key, under a password.
 *
 *   pbes2   AES-256-CBC under PBKDF2-HMAC-SHA-256: what OpenSSL 3, NSS, Java 8u301 and Windows 10 1709 write and read
 *   3des    pbeWithSHAAnd3-KeyTripleDES-CBC: weak, for devices that know nothing later
 *
 * Neither cipher tells a wrong password from a right one for certain: the MAC around it does, so ask that first.
 *
 * Source: RFC 8018 6.2, A.2, A.4 (PBES2); RFC 7292 appendix C (3DES); RFC 8018 B.1.2 (pseudo-random functions).
 */
import { createCipheriv, createDecipheriv, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import * as asn1js from 'asn1js'
import { AlgorithmIdentifier, PBES2Params, PBKDF2Params } from 'pkijs'
import { deriveFromPassword } from './pkcs12-kdf.ts'
import { IssuerRefusal } from './refusal.ts'

const oid = {
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
  hmacSha1: '1.2.840.113549.2.7',
  hmacSha256: '1.2.840.113549.2.9',
  aes256: '2.16.840.1.101.3.4.1.42',
  tripleDes: '1.2.840.113549.1.12.1.3',
} as const

const prfs: Readonly<Record<string, string>> = {
  [oid.hmacSha1]: 'sha1',
  '1.2.840.113549.2.8': 'sha224',
  [oid.hmacSha256]: 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
}

const ciphers: Readonly<Record<string, { readonly name: string; readonly key: number }>> = {
  '2.16.840.1.101.3.4.1.2': { name: 'aes-128-cbc', key: 16 },
  '2.16.840.1.101.3.4.1.22': { name: 'aes-192-cbc', key: 24 },
  [oid.aes256]: { name: 'aes-256-cbc', key: 32 },
  '1.2.840.113549.3.7': { name: 'des-ede3-cbc', key: 24 },
}

/** RC2 and RC4 under a password, which OpenSSL 3, and so Node, no longer reads. */
const obsolete = /^1\.2\.840\.113549\.1\.(12\.1\.[12456]|5\.[1346]|5\.1[01])$/

/** More is not caution, it is an attempt to keep us busy: NSS stops at 600 000, Java at 5 000 000. */
const mostIterations = 10_000_000

const stretch = promisify(pbkdf2)
const octets = (bytes: Uint8Array) => new asn1js.OctetString({ valueHex: bytes })

export interface Encrypted {
  readonly algorithm: AlgorithmIdentifier
  readonly content: Buffer
}

export type Cipher = 'pbes2' | '3des'

export function encrypt(cipher: Cipher, plain: Uint8Array, password: string, iterations: number): Promise<Encrypted> {
  return cipher === 'pbes2' ? encryptPbes2(plain, password, iterations) : encrypt3Des(plain, password, iterations)
}

async function encryptPbes2(plain: Uint8Array, password: string, iterationCount: number): Promise<Encrypted> {
  const salt = randomBytes(16)
  const iv = randomBytes(16)
  const cipher = createCipheriv('aes-256-cbc', await stretch(password, salt, iterationCount, 32, 'sha256'), iv)
  const prf = new AlgorithmIdentifier({ algorithmId: oid.hmacSha256, algorithmParams: new asn1js.Null() })
  const derivation = new PBKDF2Params({ salt: octets(salt), iterationCount, prf })
  const terms = new PBES2Params({
    keyDerivationFunc: new AlgorithmIdentifier({ algorithmId: oid.pbkdf2, algorithmParams: derivation.toSchema() }),
    encryptionScheme: new AlgorithmIdentifier({ algorithmId: oid.aes256, algorithmParams: octets(iv) }),
  })
  return {
    algorithm: new AlgorithmIdentifier({ algorithmId: oid.pbes2, algorithmParams: terms.toSchema() }),
    content: Buffer.concat([cipher.update(plain), cipher.final()]),
  }
}

async function encrypt3Des(plain: Uint8Array, password: string, iterations: number): Promise<Encrypted> {
  const salt = randomBytes(8)
  const cipher = createCipheriv('des-ede3-cbc', ...tripleDesSecrets(password, salt, iterations))
  const terms = new asn1js.Sequence({ value: [octets(salt), new asn1js.Integer({ value: iterations })] })
  return {
    algorithm: new AlgorithmIdentifier({ algorithmId: oid.tripleDes, algorithmParams: terms }),
    content: Buffer.concat([cipher.update(plain), cipher.final()]),
  }
}

/** Codes: `container-obsolete` for ciphers nobody should read any more, `container-unreadable` for unknown ones. */
export async function decrypt({ algorithm, content }: Encrypted, password: string): Promise<Buffer> {
  const { algorithmId, algorithmParams } = algorithm
  checkCurrent(algorithmId)
  if (algorithmId === oid.tripleDes) {
    const [salt, rounds] = algorithmParams instanceof asn1js.Sequence ? algorithmParams.valueBlock.value : []
    if (!(salt instanceof asn1js.OctetString && rounds instanceof asn1js.Integer)) throw unknown(algorithmId)
    const iterations = bounded(rounds.valueBlock.valueDec)
    const secrets = tripleDesSecrets(password, Buffer.from(salt.getValue()), iterations)
    const decipher = createDecipheriv('des-ede3-cbc', ...secrets)
    return Buffer.concat([decipher.update(content), decipher.final()])
  }
  if (algorithmId !== oid.pbes2) throw unknown(algorithmId)

  const { keyDerivationFunc, encryptionScheme } = new PBES2Params({ schema: algorithmParams })
  if (keyDerivationFunc.algorithmId !== oid.pbkdf2) throw unknown(keyDerivationFunc.algorithmId)
  const { salt, iterationCount, prf } = new PBKDF2Params({ schema: keyDerivationFunc.algorithmParams })
  const digest = prfs[prf?.algorithmId ?? oid.hmacSha1]
  const cipher = ciphers[encryptionScheme.algorithmId]
  const iv: unknown = encryptionScheme.algorithmParams
  if (!(digest && cipher && salt instanceof asn1js.OctetString && iv instanceof asn1js.OctetString)) {
    throw unknown(encryptionScheme.algorithmId)
  }
  const key = await stretch(password, Buffer.from(salt.getValue()), bounded(iterationCount), cipher.key, digest)
  const decipher = createDecipheriv(cipher.name, key, Buffer.from(iv.getValue()))
  return Buffer.concat([decipher.update(content), decipher.final()])
}

/** Throws `container-obsolete` for ciphers that OpenSSL 3 no longer reads. */
export function checkCurrent(algorithmId: string): void {
  if (!obsolete.test(algorithmId)) return
  throw new IssuerRefusal(
    'container-obsolete',
    `the PKCS#12 file is encrypted with RC2, RC4 or DES, which OpenSSL 3 no longer reads; convert it: ${conversion()}`,
  )
}

/** The commands that write a container anew. Between them the key lies in the clear, for this account only. */
export const conversion = (from = 'OLD.p12', to = 'NEW.p12'): string =>
  `(umask 077; openssl pkcs12 -legacy -in ${from} -nodes -out all.pem && openssl pkcs12 -export -in all.pem -out ${to}; rm all.pem)`

/** Throws `container-unreadable` where a file asks for more rounds than anyone honest would. */
export function bounded(iterations: number): number {
  if (Number.isInteger(iterations) && iterations > 0 && iterations <= mostIterations) return iterations
  throw new IssuerRefusal('container-unreadable', `the PKCS#12 file asks for ${iterations} rounds of key derivation`)
}

function tripleDesSecrets(password: string, salt: Uint8Array, iterations: number): [key: Buffer, iv: Buffer] {
  const terms = { digest: 'sha1', password, salt, iterations } as const
  return [
    deriveFromPassword({ ...terms, purpose: 'key', length: 24 }),
    deriveFromPassword({ ...terms, purpose: 'iv', length: 8 }),
  ]
}

const unknown = (what: string) =>
  new IssuerRefusal('container-unreadable', `the PKCS#12 file is encrypted in a way not known here: ${what}`)
