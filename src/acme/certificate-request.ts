/**
 * A new key, and the request to certify it for some names.
 *
 * A key serves one certificate: whoever got hold of an old one cannot read on after the renewal. No common name: it has
 * room for 64 characters only, and nobody reads it any more (RFC 9525 2).
 *
 * `reflect-metadata` has to be loaded before @peculiar/x509, so that import stands first.
 * Source: RFC 2986, RFC 8555 7.4 (finalize).
 */
import 'reflect-metadata'

import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from '@peculiar/x509'
import { generateKeys, privateKeyPem, signingAlgorithm } from '../issuer/keys.ts'

export interface CertificateRequest {
  readonly der: Buffer
  /** PKCS#8, not encrypted. For a file with mode 0600 only. */
  readonly keyPem: string
}

export async function makeCertificateRequest(names: readonly string[]): Promise<CertificateRequest> {
  const keys = await generateKeys('ec-p256')
  const request = await Pkcs10CertificateRequestGenerator.create({
    keys,
    signingAlgorithm: signingAlgorithm(keys.privateKey),
    extensions: [new SubjectAlternativeNameExtension(names.map(value => ({ type: 'dns', value })))],
  })
  return { der: Buffer.from(request.rawData), keyPem: privateKeyPem(keys.privateKey) }
}
