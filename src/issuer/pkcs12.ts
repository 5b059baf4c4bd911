/**
 * Puts a key with its chain into a PKCS#12 container, the file that browsers and devices import.
 *
 *   modern   AES-256-CBC, PBKDF2-HMAC-SHA-256, SHA-256 MAC: OpenSSL, Firefox, Chrome, Java, Windows 10 and later
 *   compat   3DES and SHA-1 for key, certificates and MAC: old devices, macOS Keychain, Windows Server 2016
 *
 * `compat` is weak: there the password alone protects the key, so give it a random one. An empty password is refused
 * in both: readers disagree on what it means, and the file would be as good as a key in the clear.
 *
 * Source: RFC 7292 4 (structure), appendix B (MAC); RFC 2985 5.5 (friendlyName, localKeyId).
 */
import { createHash, createHmac, createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import * as asn1js from 'asn1js'
import * as pkijs from 'pkijs'
import { type Cipher, encrypt } from './bag-cipher.ts'
import { certificatesInPem } from './pem.ts'
import { deriveFromPassword } from './pkcs12-kdf.ts'
import { IssuerRefusal } from './refusal.ts'

export type Pkcs12Format = 'modern' | 'compat'

interface Strength {
  readonly cipher: Cipher
  readonly digest: 'sha256' | 'sha1'
  readonly digestOid: string
  readonly iterations: number
}

const strengths: Readonly<Record<Pkcs12Format, Strength>> = {
  // 100 000 rounds cost an import a quarter of a second; NSS accepts up to 600 000.
  modern: { cipher: 'pbes2', digest: 'sha256', digestOid: '2.16.840.1.101.3.4.2.1', iterations: 100_000 },
  // What the readers that need this format write themselves; some embedded ones have a limit not far above.
  compat: { cipher: '3des', digest: 'sha1', digestOid: '1.3.14.3.2.26', iterations: 2048 },
}

const oid = {
  keyBag: '1.2.840.113549.1.12.10.1.2',
  certificateBag: '1.2.840.113549.1.12.10.1.3',
  x509: '1.2.840.113549.1.9.22.1',
  friendlyName: '1.2.840.113549.1.9.20',
  localKeyId: '1.2.840.113549.1.9.21',
} as const

export interface Pkcs12Content {
  /** PKCS#8 PEM in the clear. */
  readonly keyPem: string
  /** The leaf first; all that follows is included. */
  readonly chainPem: string
  /** What import dialogues show. */
  readonly friendlyName: string
  readonly password: string
  /** Absent: modern. */
  readonly format?: Pkcs12Format
  /** Absent: as many as the format can bear. Fewer only where speed matters more than the key, as in a test. */
  readonly iterations?: number
}

/** DER. Codes: `password-empty`, and `key-mismatch` where the key is not that of the first certificate. */
export async function encodePkcs12(content: Pkcs12Content): Promise<Buffer> {
  const { keyPem, chainPem, friendlyName, password, format = 'modern' } = content
  if (password === '')
    throw new IssuerRefusal('password-empty', 'a PKCS#12 file with an empty password is not written: choose one')
  const strength = { ...strengths[format], ...(content.iterations ? { iterations: content.iterations } : {}) }

  const key = createPrivateKey(keyPem)
  const [leaf, ...others] = certificatesInPem(chainPem)
  if (leaf === undefined || !new X509Certificate(leaf).checkPrivateKey(key)) {
    throw new IssuerRefusal('key-mismatch', 'the key does not belong to the first certificate')
  }
  // Key and leaf find each other by this identifier; every reader accepts the digest that OpenSSL uses.
  const attributes = bagAttributes(friendlyName, createHash('sha1').update(leaf).digest())
  const certificates = [certificateBag(leaf, attributes), ...others.map(der => certificateBag(der))]
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' })

  const safe = new pkijs.AuthenticatedSafe({
    safeContents: [
      await sealedContents(certificates, password, strength),
      plainContents([await keyBag(pkcs8, attributes, password, strength)]),
    ],
  })
  const safeDer = encode(safe)
  const container = new pkijs.PFX({ authSafe: plain(safeDer), macData: mac(safeDer, password, strength) })
  return encode(container)
}

const encode = (structure: { toSchema(): asn1js.BaseBlock }) => Buffer.from(structure.toSchema().toBER())
const octets = (bytes: Uint8Array) => new asn1js.OctetString({ valueHex: bytes })
const plain = (der: Uint8Array) => new pkijs.ContentInfo({ contentType: pkijs.ContentInfo.DATA, content: octets(der) })
const plainContents = (safeBags: pkijs.SafeBag[]) => plain(encode(new pkijs.SafeContents({ safeBags })))

async function sealedContents(safeBags: pkijs.SafeBag[], password: string, { cipher, iterations }: Strength) {
  const sealed = await encrypt(cipher, encode(new pkijs.SafeContents({ safeBags })), password, iterations)
  const encryptedContentInfo = new pkijs.EncryptedContentInfo({
    contentType: pkijs.ContentInfo.DATA,
    contentEncryptionAlgorithm: sealed.algorithm,
    encryptedContent: octets(sealed.content),
    // In pieces it would be BER and no longer DER, which embedded readers cannot follow.
    disableSplit: true,
  })
  const content = new pkijs.EncryptedData({ version: 0, encryptedContentInfo }).toSchema()
  return new pkijs.ContentInfo({ contentType: pkijs.ContentInfo.ENCRYPTED_DATA, content })
}

async function keyBag(pkcs8: Buffer, bagAttributes: pkijs.Attribute[], password: string, strength: Strength) {
  const sealed = await encrypt(strength.cipher, pkcs8, password, strength.iterations)
  const bagValue = new pkijs.PKCS8ShroudedKeyBag({
    encryptionAlgorithm: sealed.algorithm,
    encryptedData: octets(sealed.content),
  })
  return new pkijs.SafeBag({ bagId: oid.keyBag, bagValue, bagAttributes })
}

function certificateBag(der: Buffer, bagAttributes?: pkijs.Attribute[]): pkijs.SafeBag {
  const bagValue = new pkijs.CertBag({ certId: oid.x509, certValue: octets(der) })
  return new pkijs.SafeBag({ bagId: oid.certificateBag, bagValue, ...(bagAttributes ? { bagAttributes } : {}) })
}

const bagAttributes = (friendlyName: string, localKeyId: Buffer) => [
  new pkijs.Attribute({ type: oid.friendlyName, values: [new asn1js.BmpString({ value: friendlyName })] }),
  new pkijs.Attribute({ type: oid.localKeyId, values: [octets(localKeyId)] }),
]

function mac(safeDer: Buffer, password: string, { digest, digestOid, iterations }: Strength): pkijs.MacData {
  const salt = randomBytes(16)
  const length = createHash(digest).digest().length
  const key = deriveFromPassword({ digest, purpose: 'mac', password, salt, iterations, length })
  const digestAlgorithm = new pkijs.AlgorithmIdentifier({ algorithmId: digestOid, algorithmParams: new asn1js.Null() })
  return new pkijs.MacData({
    mac: new pkijs.DigestInfo({ digestAlgorithm, digest: octets(createHmac(digest, key).update(safeDer).digest()) }),
    macSalt: octets(salt),
    iterations,
  })
}
