/**
 * Names of cipher suites as OpenSSL has them, from those of IANA, which dcmtk and so Orthanc's DICOM side use.
 *
 * Suites without a certificate or without encryption have no name here: no floor can ever switch them on.
 *
 * Source: IANA TLS parameters; OpenSSL ciphers(1), "Cipher suite names"; DCMTK dcmtls/docs/ciphers.txt.
 */

const exceptions: Readonly<Record<string, string>> = {
  TLS_RSA_WITH_3DES_EDE_CBC_SHA: 'DES-CBC3-SHA',
  TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA: 'DHE-RSA-DES-CBC3-SHA',
}

/** @returns undefined for what must not be used, whatever the dialect */
export function openSslCipher(written: string): string | undefined {
  const name = written.trim()
  if (name === '') return undefined
  // What is taken away, and strings of several, are OpenSSL's own to read: the gateway appends !aNULL:!eNULL to them.
  if (/^[!+-]|:/.test(name)) return name
  if (/NULL|anon|^A(EC)?DH\b|EXP|RC4|MD5/i.test(name)) return undefined
  if (!name.startsWith('TLS_')) return name
  const known = exceptions[name]
  if (known !== undefined) return known
  const [, exchange = '', rest] = /^TLS_(\w+?)_WITH_(\w+)$/.exec(name) ?? []
  if (rest === undefined) return name // a suite of TLS 1.3
  const cipher = rest
    .replace(/_CBC(?=_)/, '')
    .replace(/CHACHA20_POLY1305_SHA256/, 'CHACHA20_POLY1305')
    .replace(/(AES|CAMELLIA)_(128|256)/, '$1$2')
    .replace(/CCM_8$/, 'CCM8')
    .replaceAll('_', '-')
  return exchange === 'RSA' ? cipher : `${exchange.replaceAll('_', '-')}-${cipher}`
}

/** A suite of TLS 1.3, which no list of ciphers switches on or off here. */
export const isOfTls13 = (name: string): boolean => /^TLS_(AES|CHACHA20)_/.test(name)

/** Whoever gets the key later reads what was recorded: key exchange by RSA. */
export const lacksForwardSecrecy = (name: string): boolean => /^(AES|CAMELLIA|DES)/.test(name)
