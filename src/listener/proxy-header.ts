/**
 * The header in which a proxy of layer 4 says for whom it has made a connection: PROXY protocol, version 2 only.
 *
 * Pure, and never guessing: bytes that are not exactly such a header are refused with a reason, and whether one is
 * expected at all is said by the configuration (a client could say anything). Who has sent it must be known before.
 *
 * Source: HAProxy doc/proxy-protocol.txt 2.2; RFC 9260 appendix A (CRC32c).
 */
import { SocketAddress } from 'node:net'
import { plainAddress } from './client-address.ts'

export type ProxyHeader =
  /** So far it may become one. */
  | { readonly kind: 'partial' }
  | { readonly kind: 'refused'; readonly why: string }
  /** The proxy's own connection (a health check): its real address counts. */
  | { readonly kind: 'local'; readonly length: number }
  | { readonly kind: 'client'; readonly address: string; readonly length: number }

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const fixedPart = 16
/** Bytes behind the fixed part. The protocol says that a header fits one segment; this is what nginx takes too. */
const longest = 4096
const checksumType = 3

/** Bytes of addresses and ports, by family and transport; others must be refused. */
const addressBytes: Readonly<Record<number, number>> = {
  0: 0,
  ...{ 17: 12, 18: 12 }, // IPv4: TCP, UDP
  ...{ 33: 36, 34: 36 }, // IPv6: TCP, UDP
  ...{ 49: 216, 50: 216 }, // UNIX
}
const [tcp4, tcp6] = [0x11, 0x21]

/** @param bytes  all that has come on the connection so far; what stands behind the header is not looked at */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  const start = bytes.subarray(0, signature.length)
  if (!start.equals(signature.subarray(0, start.length))) return { kind: 'refused', why: insteadOf(bytes) }
  const version = bytes[12]
  if (version !== undefined && version !== 0x20 && version !== 0x21)
    return { kind: 'refused', why: `a PROXY header of another version or command (0x${version.toString(16)})` }
  if (bytes.length < fixedPart) return { kind: 'partial' }

  const [family = 0, following] = [bytes[13], bytes.readUInt16BE(14)]
  if (following > longest) return { kind: 'refused', why: `a PROXY header of ${following} bytes` }
  const length = fixedPart + following
  if (bytes.length < length) return { kind: 'partial' }
  const header = bytes.subarray(0, length)

  const addresses = addressBytes[family]
  const checksums = addresses === undefined ? undefined : checksumsIn(header, fixedPart + addresses)
  if (checksums?.every(at => isChecksum(header, at)) === false)
    return { kind: 'refused', why: 'a PROXY header whose checksum is wrong' }
  // What else it says is to be ignored, whatever it is.
  if (version === 0x20) return { kind: 'local', length }
  if (family !== tcp4 && family !== tcp6)
    return { kind: 'refused', why: `a PROXY header that names no client by TCP (family 0x${family.toString(16)})` }
  if (checksums === undefined) return { kind: 'refused', why: 'a PROXY header whose parts do not fit its length' }
  return { kind: 'client', address: family === tcp4 ? address4(header) : address6(header), length }
}

/** What an operator reads who has forgotten a setting. */
function insteadOf(bytes: Buffer): string {
  if (bytes[0] === 0x16) return 'TLS without a PROXY header: the proxy needs its setting for version 2 (send-proxy-v2)'
  if (bytes.toString('latin1', 0, 5).startsWith('PROXY'.slice(0, bytes.length)))
    return 'a PROXY header of version 1 (text): the proxy must send version 2 (send-proxy-v2)'
  return 'no PROXY header'
}

const address4 = (header: Buffer): string => header.subarray(16, 20).join('.')

function address6(header: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => header.readUInt16BE(16 + 2 * index).toString(16))
  // The spelling that a socket has for its peer.
  return plainAddress(new SocketAddress({ family: 'ipv6', address: groups.join(':') }).address)
}

/** Where the values of the checksums stand. Undefined: what is behind the addresses is no list of type, length, value. */
function checksumsIn(header: Buffer, from: number): number[] | undefined {
  const found: number[] = []
  let at = from
  while (at < header.length) {
    if (at + 3 > header.length) return undefined
    const [type, length] = [header[at], header.readUInt16BE(at + 1)]
    at += 3
    if (at + length > header.length) return undefined
    if (type === checksumType) {
      if (length !== 4 || found.length > 0) return undefined
      found.push(at)
    }
    at += length
  }
  return at === header.length ? found : undefined
}

function isChecksum(header: Buffer, at: number): boolean {
  const cleared = Buffer.from(header)
  cleared.writeUInt32BE(0, at)
  return crc32c(cleared) === header.readUInt32BE(at)
}

/** Castagnoli's polynomial, bits reversed; node:zlib has another one. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xff_ff_ff_ff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82_f6_3b_78 : 0)
  }
  return (crc ^ 0xff_ff_ff_ff) >>> 0
}
