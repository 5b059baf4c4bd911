/**
 * Where the authority of a command lies, and its ledger, and how they are opened: from the command line, the
 * configuration, or `certs/authority` and `state` in the working directory.
 */
import { existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { SecretPlace } from '../config/scalars.ts'
import { type Authority, authorityFiles, authorityFingerprint, openAuthority } from '../issuer/authority.ts'
import { takeOverIssued } from '../issuer/issued.ts'
import { type Ledger, ledgerFile, openLedger } from '../issuer/ledger.ts'
import { IssuerRefusal } from '../issuer/refusal.ts'
import { type Configuration, configFile, requireConfiguration } from './configuration.ts'
import { openConfiguredState, sharedIn } from './configured-state.ts'
import { askPassword, readPasswordFile } from './password-input.ts'
import { CommandEnd, type Report } from './report.ts'
import { shownPath } from './shown-path.ts'
import { refuseForeign, refuseForeignOwner } from './state-owner.ts'

export interface AuthorityPlace {
  /** Absolute. */
  readonly dir: string
  /** Absolute. The folder with the ledger. */
  readonly state: string
  /** How long the configuration lets certificates live; absent: no configuration. */
  readonly days: number | undefined
  readonly password: SecretPlace | undefined
  /** Where the ledger stands in a Redis; absent: in that folder. */
  readonly shared?: Configuration | undefined
}

export function authorityPlace(named: string | undefined, config: string | undefined, report: Report): AuthorityPlace {
  const file = configFile(config)
  const configuration = file === undefined ? undefined : requireConfiguration(file, report)
  const given = configuration?.config
  const { dir = 'certs/authority', days, password } = given?.authority ?? {}
  return {
    dir: resolve(named ?? dir),
    state: resolve(given?.state ?? 'state'),
    days,
    password,
    shared: sharedIn(configuration),
  }
}

/** SHA-256 of its certificate, for which no password is needed; undefined: there is none in this place. */
export function placeFingerprint({ dir }: AuthorityPlace): string | undefined {
  return existsSync(authorityFiles(dir).certificate) ? authorityFingerprint(dir) : undefined
}

/** For commands that only look something up: undefined where nothing was ever issued, and then nothing is made. */
export async function openExistingLedger(place: AuthorityPlace, report: Report): Promise<Ledger | undefined> {
  const there =
    place.shared !== undefined ||
    [join(place.state, ledgerFile), join(place.dir, 'issued.jsonl')].some(file => existsSync(file))
  return there ? await openPlaceLedger(place, report) : undefined
}

/** Also takes over what an authority of an earlier release had noted beside its key. @throws CommandEnd */
export async function openPlaceLedger(place: AuthorityPlace, report: Report): Promise<Ledger> {
  const { file, ledger } = await openLedgerOf(place, report)
  try {
    const fingerprint = placeFingerprint(place)
    const taken = fingerprint === undefined ? undefined : await takeOverIssued(place.dir, fingerprint, ledger)
    if (taken !== undefined && taken.kept !== taken.file)
      report.note(
        `took ${taken.lines} ${taken.lines === 1 ? 'certificate' : 'certificates'} over from ${shownPath(taken.file)} into ${shownPath(file)}; the old list lies in ${shownPath(taken.kept)}`,
      )
    return ledger
  } catch (cause) {
    ledger[Symbol.dispose]()
    throw cause
  }
}

async function openLedgerOf(place: AuthorityPlace, report: Report): Promise<{ file: string; ledger: Ledger }> {
  const { state, shared } = place
  if (shared === undefined) {
    refuseForeignOwner(state)
    const file = join(state, ledgerFile)
    // Also the file itself: it may be all that somebody else left there.
    refuseForeign(file)
    return { file, ledger: openLedger(file) }
  }
  const opened = await openConfiguredState(shared, report)
  const close = () => void opened[Symbol.asyncDispose]()
  return { file: 'Redis', ledger: { ...opened.ledger, [Symbol.dispose]: close } }
}

/** The text of a secret that the configuration names. @throws CommandEnd 2 */
export function configuredSecret(place: SecretPlace, report: Report): string {
  if ('file' in place) return readPasswordFile(place.file, report)
  const text = process.env[place.env]
  if (text === undefined || text === '')
    throw new CommandEnd(
      2,
      `the environment variable ${place.env} is not set, and the configuration names it for a password`,
    )
  return text
}

export function authorityPassword(place: AuthorityPlace, file: string | undefined, report: Report): string | undefined {
  if (file !== undefined) return readPasswordFile(file, report)
  return place.password === undefined ? undefined : configuredSecret(place.password, report)
}

/** Asks for the password on a terminal where the key is encrypted and none was given. */
export async function openPlace(
  place: AuthorityPlace,
  passwordFile: string | undefined,
  report: Report,
): Promise<Authority> {
  refuseForeign(place.dir)
  warnOfOpenKey(authorityFiles(place.dir).key, report)
  const password = authorityPassword(place, passwordFile, report)
  const opened = (text: string | undefined) => openAuthority(place.dir, text === undefined ? {} : { password: text })
  try {
    return opened(password)
  } catch (cause) {
    const locked = cause instanceof IssuerRefusal && cause.code === 'authority-password'
    if (!locked || password !== undefined || !process.stdin.isTTY) throw cause
  }
  return opened(await askPassword(`password of ${shownPath(place.dir)}/ca.key: `))
}

function warnOfOpenKey(file: string, report: Report): void {
  const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0
  if ((mode & 0o077) === 0) return
  const octal = (mode & 0o777).toString(8).padStart(4, '0')
  const shown = shownPath(file)
  report.warn(
    `others may read the key of the authority (mode ${octal}), and who reads it can be anybody; chmod 600 ${shown}`,
  )
}
