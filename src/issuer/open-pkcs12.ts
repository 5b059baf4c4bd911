/**
 * Takes the certificates out of a PKCS#12 container, whoever wrote it.
 *
 * Only the certificates: the key stays sealed, because showing facts needs none. (A listener opens its container with
 * Node's own reader, which hands the key to OpenSSL and to nobody else.)
 *
 * Source: RFC 7292 4, 5; RFC 9579 (PBMAC1, whose MAC is left to the decryption to prove).
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import * as asn1js from 'asn1js'
import * as pkijs from 'pkijs'
import { bounded, checkCurrent, decrypt } from './bag-cipher.ts'
import { deriveFromPassword, type Pkcs12Hash } from './pkcs12-kdf.ts'
import { IssuerRefusal } from './refusal.ts'

const certificateBag = '1.2.840.113549.1.12.10.1.3'

const digests: Readonly<Record<string, Pkcs12Hash>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
}

/**
 * DER of each certificate in the order of the file, which need not begin with the leaf.
 *
 * Codes: `container-password`, `container-obsolete`, `container-unreadable`.
 */
export async function certificatesInPkcs12(container: Uint8Array, password: string): Promise<Buffer[]> {
  const { authSafe, macData } = readable(() => pkijs.PFX.fromBER(container))
  const safe = contentOf(authSafe)
  // pkijs takes a structure apart as it reads it, so each look begins with the bytes.
  const contentsOf = () => readable(() => pkijs.AuthenticatedSafe.fromBER(safe)).safeContents
  // Before the password is asked about: no password opens these here.
  for (const contents of contentsOf()) refuseObsolete(contents)
  if (macData !== undefined) checkMac(macData, safe, password)

  const found: Buffer[] = []
  for (const contents of contentsOf()) {
    for (const bag of await openContents(contents, password)) {
      if (bag.bagId !== certificateBag || !(bag.bagValue instanceof pkijs.CertBag)) continue
      const { certValue } = bag.bagValue
      if (certValue instanceof asn1js.OctetString) found.push(Buffer.from(certValue.getValue()))
    }
  }
  return found
}

async function openContents(contents: pkijs.ContentInfo, password: string): Promise<pkijs.SafeBag[]> {
  if (contents.contentType !== pkijs.ContentInfo.ENCRYPTED_DATA) {
    const plain = contentOf(contents)
    return readable(() => pkijs.SafeContents.fromBER(plain)).safeBags
  }
  const encryptedContentInfo = sealedIn(contents)
  const algorithm = encryptedContentInfo.contentEncryptionAlgorithm
  const content = readable(() => Buffer.from(encryptedContentInfo.getEncryptedContent()))
  try {
    // Without a MAC nonsense is all that a wrong password leaves behind, and one time in 256 even the padding fits.
    return pkijs.SafeContents.fromBER(await decrypt({ algorithm, content }, password)).safeBags
  } catch (cause) {
    if (cause instanceof IssuerRefusal) throw cause
    throw wrongPassword(cause)
  }
}

const sealedIn = (contents: pkijs.ContentInfo): pkijs.EncryptedContentInfo =>
  readable(() => new pkijs.EncryptedData({ schema: contents.content })).encryptedContentInfo

function refuseObsolete(contents: pkijs.ContentInfo): void {
  if (contents.contentType !== pkijs.ContentInfo.ENCRYPTED_DATA) return
  checkCurrent(sealedIn(contents).contentEncryptionAlgorithm.algorithmId)
}

function checkMac({ mac, macSalt, iterations = 1 }: pkijs.MacData, safe: Buffer, password: string): void {
  const digest = digests[mac.digestAlgorithm.algorithmId]
  if (digest === undefined) return
  const said = Buffer.from(mac.digest.getValue())
  const key = deriveFromPassword({
    digest,
    purpose: 'mac',
    password,
    salt: Buffer.from(macSalt.getValue()),
    iterations: bounded(iterations),
    length: said.length,
  })
  const meant = createHmac(digest, key).update(safe).digest()
  if (meant.length !== said.length || !timingSafeEqual(meant, said)) throw wrongPassword()
}

function contentOf(info: pkijs.ContentInfo): Buffer {
  const content: unknown = info.content
  if (info.contentType === pkijs.ContentInfo.DATA && content instanceof asn1js.OctetString)
    return Buffer.from(content.getValue())
  throw new IssuerRefusal(
    'container-unreadable',
    'the PKCS#12 file is sealed with a public key or signed, not under a password',
  )
}

/** What a stranger's bytes do to an ASN.1 reader is not a bug of ours. */
function readable<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new IssuerRefusal('container-unreadable', 'this is not a PKCS#12 file, or a damaged one', { cause })
  }
}

const wrongPassword = (cause?: unknown) =>
  new IssuerRefusal('container-password', 'the password does not open the PKCS#12 file', { cause })
