/**
 * The directory of the configuration, read or opened for a command: only what it needs is read, so a listener whose
 * certificate is missing keeps nobody from asking.
 */
import type { Problem } from '../config/problem.ts'
import type { Config } from '../config/schema.ts'
import { type Directory, type DirectoryOptions, openDirectory } from '../ldap/directory.ts'
import { inspectDirectory } from '../preflight.ts'
import { type Configuration, invalid, tellProblems } from './configuration.ts'
import { CommandEnd, type Report } from './report.ts'

export interface ConfiguredDirectory {
  readonly settings: Config['realms']['directory']
  readonly options: Required<Pick<DirectoryOptions, 'password' | 'trust' | 'ignoreCase'>>
}

/** @throws CommandEnd 2 where there is none, or its settings are wrong */
export function readConfiguredDirectory(
  configuration: Configuration | undefined,
  report: Report,
): ConfiguredDirectory & { readonly configuration: Configuration } {
  if (configuration === undefined)
    throw new CommandEnd(2, 'there is no configuration, and so no directory', 'name it with --config FILE')
  const { config, file, locate } = configuration
  const { directory, ignoreCase } = config.realms
  const problems: Problem[] = []
  const { trust, password } = inspectDirectory(
    directory,
    process.env,
    Date.now(),
    (...path) =>
      (key, message, severity) => {
        problems.push(locate({ path: [...path, key], message, ...(severity === undefined ? {} : { severity }) }))
      },
  )
  tellProblems(report, file, problems)
  if (problems.some(({ severity }) => severity !== 'warning')) throw invalid(file, problems)
  return { settings: directory, options: { password, trust, ignoreCase }, configuration }
}

/** @throws CommandEnd 2 where there is none, it is not asked, or its settings are wrong */
export async function openConfiguredDirectory(
  configuration: Configuration | undefined,
  report: Report,
): Promise<Directory> {
  if (configuration?.config.realms.directory.enabled === false)
    throw new CommandEnd(2, `no directory is asked: realms.directory.enabled is not true in ${configuration.file}`)
  const { settings, options } = readConfiguredDirectory(configuration, report)
  const opened = openDirectory(settings, options)
  await opened.prepare()
  return opened
}
