/**
 * The list of what an authority has issued: `issued.jsonl` in its directory, one line for each certificate.
 *
 * Lines are only ever added, and a line is on the disk before its certificate leaves the house: a certificate that
 * nobody remembers cannot be revoked. What is revoked stands elsewhere.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { secretMode } from './new-file.ts'
import { IssuerRefusal } from './refusal.ts'

const Line = z.object({
  /** Upper case hexadecimal, as `openssl x509 -serial` prints it. */
  serial: z.string(),
  /** RFC 4514. */
  subject: z.string(),
  /** The common name as it was asked for: what `certs revoke NAME` looks for. */
  name: z.string(),
  kind: z.enum(['server', 'client']),
  notAfter: z.iso.datetime(),
  /** Upper case with colons, over the DER. */
  sha256: z.string(),
  when: z.iso.datetime(),
})

export type IssuedRecord = Readonly<z.output<typeof Line>>

const fileOf = (dir: string) => join(dir, 'issued.jsonl')

export function recordIssued(dir: string, record: IssuedRecord): void {
  const file = fileOf(dir)
  dropTornLine(file)
  const line = Buffer.from(`${JSON.stringify(record)}\n`)
  const descriptor = openSync(file, 'a', secretMode)
  try {
    // One write for the line: with O_APPEND the lines of two commands at the same time stay apart.
    const written = writeSync(descriptor, line)
    if (written !== line.length) throw new Error(`${file}: only ${written} of ${line.length} bytes could be written`)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Oldest first. */
export function readIssued(dir: string): IssuedRecord[] {
  const file = fileOf(dir)
  if (!existsSync(file)) return []
  // What follows the last line end is a line that a crash cut short: its certificate never left the house.
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line, at) => {
    const read = Line.safeParse(parse(line))
    if (read.success) return read.data
    throw new IssuerRefusal('authority-unreadable', `${file}:${at + 1} is not a line that the authority wrote`)
  })
}

/** Without this the next record would become the tail of the torn one, and both unreadable. */
function dropTornLine(file: string): void {
  if (!existsSync(file)) return
  const content = readFileSync(file)
  const whole = content.lastIndexOf(0x0a) + 1
  if (whole < content.length) truncateSync(file, whole)
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined // refused by the schema, with the number of the line
  }
}
