/**
 * The text of a secret, from where the configuration says that it stands; never part of a message.
 */
import { readFileSync, statSync } from 'node:fs'
import type { SecretPlace } from '../config/scalars.ts'
import { Secret } from '../kernel/secret.ts'
import { unreadable } from './keystore.ts'

/** @returns undefined when there is none; `report` has said why */
export function readSecret(
  place: SecretPlace,
  env: NodeJS.ProcessEnv,
  report: (message: string, severity?: 'warning') => void,
): Secret | undefined {
  if ('env' in place) {
    const text = env[place.env]
    if (text !== undefined) return new Secret(text)
    report(`the environment variable ${place.env} is not set`)
    return undefined
  }
  try {
    const text = readFileSync(place.file, 'utf8')
    const mode = statSync(place.file).mode & 0o777
    if ((mode & 0o077) !== 0)
      report(
        `${place.file} holds a secret and others may read it (mode ${mode.toString(8).padStart(4, '0')}); chmod 600`,
        'warning',
      )
    // Editors end a file with a line break that is no part of the secret.
    return new Secret(text.replace(/\r?\n$/, ''))
  } catch (cause) {
    report(unreadable(place.file, cause))
    return undefined
  }
}
