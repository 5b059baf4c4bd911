/**
 * Why there is no TLS connection to a server, in words for an operator.
 *
 * Only what the connection itself says; whether the server is believed is told by peer-verdict.ts. Codes are looked at,
 * never messages. Source: OpenSSL's reasons as Node 24 spells them, errno(3).
 */

const wantsCertificate = 'the server wants a client certificate, or does not take the one that we showed'

const words: readonly (readonly [codes: RegExp, sentence: string])[] = [
  [/^ECONNREFUSED$/, 'nobody listens there'],
  [/^(ENOTFOUND|EAI_AGAIN)$/, 'this host name is not known here'],
  [/^(EHOSTUNREACH|ENETUNREACH)$/, 'there is no way to that address'],
  [/^ETIMEDOUT$/, 'nothing answered in time'],
  [
    /^(ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE|HTTP_REQUEST)|EPROTO)$/,
    'that port does not speak TLS',
  ],
  [/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS_AVAILABLE/, 'no TLS version is allowed on both sides'],
  [
    /ALERT_(CERTIFICATE|BAD_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|UNSUPPORTED_CERTIFICATE|DECRYPT_ERROR)/,
    wantsCertificate,
  ],
  [/HANDSHAKE_FAILURE/, `no cipher is allowed on both sides, or ${wantsCertificate}`],
  [/^ECONNRESET$/, 'it closed the connection in the middle of the handshake'],
]

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '')

/** @returns undefined where Node's own message must do */
export function handshakeWords(error: unknown): string | undefined {
  // Several addresses of one name were tried: the first failure tells.
  const cause = error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error
  const code = codeOf(cause)
  return words.find(([codes]) => codes.test(code))?.[1]
}
