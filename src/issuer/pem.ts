/**
 * PEM, in and out: the text form of certificates and keys.
 *
 * Only certificates and revocation lists are ever read out of a text here; a private key that stands beside them is passed over unseen.
 *
 * Source: RFC 7468 (textual encodings); 5.1 and 11 for the labels.
 */

const block = /-----BEGIN (?:X509 )?CERTIFICATE-----([\s\S]+?)-----END (?:X509 )?CERTIFICATE-----/g

/** DER of every certificate in the text, in the order of the text. */
export function certificatesInPem(text: string): Buffer[] {
  return Array.from(text.matchAll(block), ([, body = '']) => Buffer.from(body, 'base64'))
}

/** DER of every block of this label, in the order of the text. */
export function pemBlocks(label: 'X509 CRL', text: string): Buffer[] {
  const found = text.matchAll(new RegExp(`-----BEGIN ${label}-----([\\s\\S]+?)-----END ${label}-----`, 'g'))
  return Array.from(found, ([, body = '']) => Buffer.from(body, 'base64'))
}

export function toPem(label: 'CERTIFICATE' | 'ENCRYPTED PRIVATE KEY' | 'X509 CRL', der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
