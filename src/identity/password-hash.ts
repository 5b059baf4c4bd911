/**
 * Passwords of local accounts as scrypt hashes: `scrypt$N$r$p$salt$hash`, salt and hash in base64url.
 *
 * A hash that cannot be read is no hash (undefined); it never matches. Not to forget: each check takes 32 MB and tens of
 * milliseconds on purpose, so only a few run at once and only a few wait (Fault('overloaded')).
 *
 * Source: RFC 7914 (the cost stands in each hash, so that it can be raised later); RFC 8265 4.2 (passwords are compared
 * in NFC: two keyboards may spell one letter in two ways).
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { takeTurns } from '../kernel/turns.ts'

// OWASP Password Storage: N 2^15, r 8 goes with p 3.
const cost = { N: 2 ** 15, r: 8, p: 3 } as const
const saltBytes = 16
const hashBytes = 32
const maxmem = 64 * 1024 * 1024

const inTurn = takeTurns({ atOnce: 2, waiting: 64, about: 'checking passwords of local accounts' })

interface PasswordHash {
  readonly N: number
  readonly r: number
  readonly p: number
  readonly salt: Buffer
  readonly hash: Buffer
}

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(saltBytes)
  const hash = await derive(password, { ...cost, salt })
  return ['scrypt', cost.N, cost.r, cost.p, salt.toString('base64url'), hash.toString('base64url')].join('$')
}

/** Undefined: not of our form, or of a cost that we do not take on. */
export function readPasswordHash(text: string): PasswordHash | undefined {
  const [, cpu = '', block = '', lanes = '', salt = '', hash = ''] =
    /^scrypt\$(\d{1,7})\$(\d{1,2})\$(\d)\$([\w-]{22})\$([\w-]{43})$/.exec(text) ?? []
  const [N, r, p] = [Number(cpu), Number(block), Number(lanes)]
  const isPower = N > 1 && Number.isInteger(Math.log2(N))
  if (!isPower || r < 1 || p < 1 || p > 4 || 128 * N * r >= maxmem) return undefined
  return { N, r, p, salt: Buffer.from(salt, 'base64url'), hash: Buffer.from(hash, 'base64url') }
}

/** False also when `text` is no hash; it takes its time all the same. */
export async function isPassword(password: string, text: string): Promise<boolean> {
  const known = readPasswordHash(text)
  const hash = await derive(password, known ?? { ...cost, salt: randomBytes(saltBytes) })
  return known !== undefined && timingSafeEqual(hash, known.hash)
}

/** Takes as long as a check, for a name that is not there. */
export async function pretendToCheck(password: string): Promise<void> {
  await isPassword(password, '')
}

function derive(password: string, { N, r, p, salt }: Omit<PasswordHash, 'hash'>): Promise<Buffer> {
  return inTurn(() => {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    scrypt(password.normalize('NFC'), salt, hashBytes, { N, r, p, maxmem }, (cause, hash) =>
      cause ? reject(cause) : resolve(hash),
    )
    return promise
  })
}
