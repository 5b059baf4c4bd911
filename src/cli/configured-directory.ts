/**
 * The directory of the configuration, opened for a command: only what it needs is read, so a listener whose certificate
 * is missing keeps nobody from asking.
 */
import type { Problem } from '../config/problem.ts'
import { type Directory, openDirectory } from '../ldap/directory.ts'
import { inspectDirectory } from '../preflight.ts'
import { type Configuration, invalid, tellProblems } from './configuration.ts'
import { CommandEnd, type Report } from './report.ts'

/** @throws CommandEnd 2 where there is none, or its settings are wrong */
export async function openConfiguredDirectory(
  configuration: Configuration | undefined,
  report: Report,
): Promise<Directory> {
  if (configuration === undefined)
    throw new CommandEnd(2, 'there is no configuration, and so no directory', 'name it with --config FILE')
  const { config, file, locate } = configuration
  const { directory, ignoreCase } = config.realms
  if (!directory.enabled)
    throw new CommandEnd(2, `no directory is asked: realms.directory.enabled is not true in ${file}`)
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
  const opened = openDirectory(directory, { password, trust, ignoreCase })
  await opened.prepare()
  return opened
}
