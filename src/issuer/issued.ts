/**
 * Takes over the list that authorities kept before there was a ledger: `issued.jsonl` in the folder of the authority.
 *
 * Once: its lines go into the ledger, and the file stays, renamed to `issued.jsonl.taken-over`, so that nothing is lost
 * and no later authority in the same folder is thought to have issued them. Where the folder cannot be written the file
 * keeps its name, and is read again each time, which adds nothing.
 */
import { existsSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { IssuedRecord } from './issued-entry.ts'
import type { Ledger } from './ledger.ts'
import { IssuerRefusal } from './refusal.ts'

export interface TakenOver {
  readonly file: string
  readonly lines: number
  /** Where the file lies now; the same as `file` where it could not be renamed. */
  readonly kept: string
}

/**
 * Undefined: there was no such list.
 *
 * @param authority  SHA-256 of the CA certificate in this folder
 */
export async function takeOverIssued(
  dir: string,
  authority: string,
  ledger: Pick<Ledger, 'record'>,
): Promise<TakenOver | undefined> {
  const file = join(dir, 'issued.jsonl')
  if (!existsSync(file)) return undefined
  const records = readLines(file)
  for (const record of records) await ledger.record({ ...record, authority })
  return { file, lines: records.length, kept: setAside(file) }
}

/** Oldest first. */
function readLines(file: string): IssuedRecord[] {
  // What follows the last line end is a line that a crash cut short: its certificate never left the house.
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line, at) => {
    const read = IssuedRecord.safeParse(parse(line))
    if (read.success) return read.data
    throw new IssuerRefusal('ledger-unreadable', `${file}:${at + 1} is not a line that an authority wrote`)
  })
}

/** Never over an earlier one: an older release that still runs beside this one may have begun a new list. */
function setAside(file: string): string {
  let aside = `${file}.taken-over`
  for (let count = 2; existsSync(aside); count++) aside = `${file}.taken-over-${count}`
  try {
    renameSync(file, aside)
    return aside
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
    // Another command took it over at the same moment, or the folder is read-only; the ledger has the lines anyway.
    if (['ENOENT', 'EACCES', 'EPERM', 'EROFS'].includes(code)) return file
    throw cause
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined // refused by the schema, with the number of the line
  }
}
