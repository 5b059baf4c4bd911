/**
 * What the command lines of `certs` have in common: options that mean the same everywhere, and the look of a help text.
 */
import type { Argv } from 'yargs'
import { configOption } from './configuration.ts'

export const text = { type: 'string', requiresArg: true } as const
export const days = { type: 'number', requiresArg: true } as const

export const authorityOptions = {
  ...configOption,
  authority: { ...text, describe: 'the folder of the authority (configuration: authority.dir; else certs/authority)' },
} as const

export const signingOptions = {
  ...authorityOptions,
  'authority-password-file': { ...text, describe: 'a file with the password of the authority key, if it is encrypted' },
} as const

export const containerOptions = {
  format: {
    choices: ['modern', 'compat'] as const,
    default: 'modern' as const,
    requiresArg: true,
    describe: 'of the PKCS#12 file; compat is weak, and for old devices',
  },
  'password-file': {
    ...text,
    describe: 'a file with the password for the PKCS#12 file; without it a random one is shown once',
  },
  force: { type: 'boolean', default: false, describe: 'replace files that are there' },
} as const

/** One address for each --ip: a list would swallow the names that follow. */
export const ipOption = {
  ip: { ...text, array: true, nargs: 1, default: [], describe: 'an IP address; may be given again' },
} as const

/** The sentence in front of the options; yargs shows the usage line as it is given. */
export const about = (
  y: Argv,
  usage: string,
  sentence: string,
  ...examples: readonly [command: string, what: string][]
): Argv => {
  for (const [command, what] of examples) y.example(command, what)
  return y.usage(`${usage}\n\n${sentence}`)
}
