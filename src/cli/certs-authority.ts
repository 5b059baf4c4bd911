/**
 * Where the authority of a command lies, and how it is opened: from the command line, the configuration, or
 * `certs/authority` in the working directory.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { SecretPlace } from '../config/scalars.ts'
import { type Authority, openAuthority } from '../issuer/authority.ts'
import { IssuerRefusal } from '../issuer/refusal.ts'
import { configFile, requireConfiguration } from './configuration.ts'
import { askPassword, readPasswordFile } from './password-input.ts'
import { CommandEnd, type Report } from './report.ts'
import { shownPath } from './shown-path.ts'
import { refuseForeign } from './state-owner.ts'

export interface AuthorityPlace {
  /** Absolute. */
  readonly dir: string
  /** How long the configuration lets certificates live; absent: no configuration. */
  readonly days: number | undefined
  readonly password: SecretPlace | undefined
}

export function authorityPlace(named: string | undefined, config: string | undefined, report: Report): AuthorityPlace {
  const file = configFile(config)
  const section = file === undefined ? undefined : requireConfiguration(file, report).config.authority
  return { dir: resolve(named ?? section?.dir ?? 'certs/authority'), days: section?.days, password: section?.password }
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
  // The list of what was issued is written there, so it is state.
  if (existsSync(place.dir)) refuseForeign(place.dir)
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
