/**
 * The key derivation of PKCS#12: how a password becomes a MAC key, and in the old format a cipher key too.
 *
 * Nothing else should use it; new designs have PBKDF2 (RFC 8018). The password is UTF-16, big-endian, and ends in two
 * zero bytes: an umlaut is one unit here, while PBES2 next to it wants the same password as UTF-8.
 *
 * Source: RFC 7292 appendix B.1 (password), B.2 (the derivation, same letters), B.3 (purposes).
 */
import { hash } from 'node:crypto'

/** Bytes of a digest, and of the blocks it works on. */
const sizes = {
  sha1: { u: 20, v: 64 },
  sha256: { u: 32, v: 64 },
  sha384: { u: 48, v: 128 },
  sha512: { u: 64, v: 128 },
} as const

export type Pkcs12Hash = keyof typeof sizes

/** RFC 7292 B.3: one password and salt give a different secret for each purpose. */
const purposes = { key: 1, iv: 2, mac: 3 } as const

export interface Derivation {
  readonly digest: Pkcs12Hash
  readonly purpose: keyof typeof purposes
  readonly password: string
  readonly salt: Uint8Array
  readonly iterations: number
  /** In bytes. */
  readonly length: number
}

export function deriveFromPassword({ digest, purpose, password, salt, iterations, length }: Derivation): Buffer {
  const { u, v } = sizes[digest]
  const diversifier = Buffer.alloc(v, purposes[purpose])
  const input = Buffer.concat([repeatToBlocks(salt, v), repeatToBlocks(bmpPassword(password), v)])
  const derived = Buffer.alloc(Math.ceil(length / u) * u)

  for (let at = 0; at < length; at += u) {
    let a = hash(digest, Buffer.concat([diversifier, input]), 'buffer')
    for (let round = 1; round < iterations; round++) a = hash(digest, a, 'buffer')
    a.copy(derived, at)
    const b = repeatToBlocks(a, v).subarray(0, v)
    for (let block = 0; block < input.length; block += v) addPlusOne(input.subarray(block, block + v), b)
  }
  return derived.subarray(0, length)
}

function bmpPassword(password: string): Buffer {
  return Buffer.from(`${password}\0`, 'utf16le').swap16()
}

/** Copies of `bytes`, cut off at the next multiple of `v`; nothing stays nothing. */
function repeatToBlocks(bytes: Uint8Array, v: number): Buffer {
  const length = v * Math.ceil(bytes.length / v)
  return length === 0 ? Buffer.alloc(0) : Buffer.alloc(length, bytes)
}

/** block = (block + b + 1) mod 2^(8v), in place. */
function addPlusOne(block: Buffer, b: Buffer): void {
  let carry = 1
  for (let at = block.length - 1; at >= 0; at--) {
    carry += (block[at] ?? 0) + (b[at] ?? 0)
    block[at] = carry & 0xff
    carry >>= 8
  }
}
