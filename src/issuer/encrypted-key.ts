/**
 * A private key as PEM under a password: PKCS#8 with PBES2.
 *
 * Made here and not by `KeyObject.export`, because that stops at 2048 rounds of key derivation, and a password which
 * people chose for a key that can sign anything deserves more.
 *
 * Source: RFC 5958 3; OWASP password storage (600 000 rounds of PBKDF2-HMAC-SHA-256).
 */
import { OctetString } from 'asn1js'
import { PKCS8ShroudedKeyBag } from 'pkijs'
import { encrypt } from './bag-cipher.ts'
import { toPem } from './pem.ts'

const rounds = 600_000

/** @param pkcs8  the key, PKCS#8 DER, in the clear */
export async function encryptedKeyPem(pkcs8: Uint8Array, password: string): Promise<string> {
  const { algorithm, content } = await encrypt('pbes2', pkcs8, password, rounds)
  const sealed = new PKCS8ShroudedKeyBag({
    encryptionAlgorithm: algorithm,
    encryptedData: new OctetString({ valueHex: content }),
  })
  return toPem('ENCRYPTED PRIVATE KEY', Buffer.from(sealed.toSchema().toBER()))
}
