/**
 * `sallyport certs list` and `certs revoke`: what the ledger knows, and taking something back.
 *
 * Neither needs the key of the authority, nor its password.
 */
import { join } from 'node:path'
import { type IssuedEntry, type RevocationReason, stateOf } from '../issuer/issued-entry.ts'
import { ledgerFile } from '../issuer/ledger.ts'
import { type AuthorityPlace, authorityPlace, openExistingLedger, placeFingerprint } from './certs-authority.ts'
import { daysLeft, plain } from './certs-text.ts'
import { CommandEnd, type Report } from './report.ts'
import { shownPath } from './shown-path.ts'

export interface ListArguments {
  config?: string | undefined
  authority?: string | undefined
}

export interface RevokeArguments extends ListArguments {
  which: string
  reason: RevocationReason
}

/** Only where one was named: the ledger may know of several authorities. @throws CommandEnd 1 */
function chosenAuthority(argv: ListArguments, place: AuthorityPlace): string | undefined {
  if (argv.authority === undefined) return undefined
  const fingerprint = placeFingerprint(place)
  if (fingerprint !== undefined) return fingerprint
  throw new CommandEnd(
    1,
    `there is no authority in ${shownPath(place.dir)}: no ca.pem`,
    'leave --authority out, or name its folder',
  )
}

export async function listIssued(argv: ListArguments, report: Report): Promise<void> {
  const place = authorityPlace(argv.authority, argv.config, report)
  const only = chosenAuthority(argv, place)
  using ledger = await openExistingLedger(place, report)
  const entries = ((await ledger?.list()) ?? []).filter(({ authority }) => only === undefined || authority === only)
  const now = new Date()
  if (entries.length === 0)
    report.note('nothing was issued here so far; sallyport certs client NAME makes a client certificate')
  report.result(
    entries.length === 0 ? '' : tableOf(entries, now),
    entries.map(entry => outcome(entry, now)),
  )
}

export async function revokeIssued(argv: RevokeArguments, report: Report): Promise<void> {
  const place = authorityPlace(argv.authority, argv.config, report)
  const authority = chosenAuthority(argv, place)
  using ledger = await openExistingLedger(place, report)
  if (ledger === undefined) {
    const file = shownPath(join(place.state, ledgerFile))
    throw new CommandEnd(
      1,
      `nothing was issued here: there is no ${file}`,
      `name the configuration with --config FILE; what was issued before there was one stands in ./state, so its state should be that folder (state: ../state in config/sallyport.yaml)`,
    )
  }
  const now = new Date()
  const { which, reason } = argv
  const [entry] = await ledger.revoke(which, { at: now, reason, ...(authority === undefined ? {} : { authority }) })
  if (entry === undefined) throw new Error('the ledger revoked nothing and refused nothing')
  const why = reason === 'unspecified' ? '' : ` (${reason})`
  report.result(
    `revoked${why}: ${entry.kind} certificate ${plain(entry.name)}\n  serial   ${entry.serial}`,
    outcome(entry, now),
  )
  const notes = [
    `a running gateway refuses it within seconds, without a restart (its state is in ${shownPath(place.state)})`,
    'other servers need the new list: sallyport certs crl',
  ]
  if (reason === 'keyCompromise')
    notes.push('for a new one with a new key: sallyport certs server or client, with --force or another --dir')
  for (const note of notes) report.note(note)
}

function tableOf(entries: readonly IssuedEntry[], now: Date): string {
  const rows = entries.map(entry => [
    entry.serial,
    plain(entry.name),
    entry.kind,
    entry.notAfter.slice(0, 10),
    stateText(entry, now),
  ])
  const all = [['SERIAL', 'NAME', 'KIND', 'EXPIRES', 'STATE'], ...rows]
  const width = (column: number) => Math.max(...all.map(row => row[column]?.length ?? 0))
  const widths = [0, 1, 2, 3, 4].map(width)
  return all
    .map(row =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function stateText(entry: IssuedEntry, now: Date): string {
  const { revokedAt, reason = 'unspecified' } = entry
  if (revokedAt !== undefined)
    return `revoked ${revokedAt.slice(0, 10)}${reason === 'unspecified' ? '' : ` (${reason})`}`
  return stateOf(entry, now)
}

const outcome = (entry: IssuedEntry, now: Date) => {
  const { when, ...rest } = entry
  return {
    ...rest,
    issued: when,
    daysLeft: daysLeft({ notAfter: new Date(entry.notAfter) }, now.getTime()),
    state: stateOf(entry, now),
  }
}
