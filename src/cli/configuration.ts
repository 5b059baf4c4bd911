/**
 * Finds and reads the configuration for a command, and tells what is wrong with it in one go.
 */
import { existsSync } from 'node:fs'
import { type Loaded, type Locate, loadConfig } from '../config/load.ts'
import type { Problem } from '../config/problem.ts'
import type { Config } from '../config/schema.ts'
import { CommandEnd, problemLine, type Report } from './report.ts'

export const usualFile = './config/sallyport.yaml'

export const configOption = {
  config: { type: 'string', describe: `the configuration file (${usualFile} if it exists)`, requiresArg: true },
} as const

/** The file that a command goes by; undefined: there is none, and none was named. */
export const configFile = (named: string | undefined): string | undefined =>
  named ?? (existsSync(usualFile) ? usualFile : undefined)

export interface Configuration {
  readonly file: string
  readonly config: Config
  readonly locate: Locate
}

export function tellProblems(report: Report, file: string, problems: readonly Problem[]): void {
  for (const problem of problems) report.note(problemLine(file, problem))
}

/** @throws CommandEnd 2 after every problem was told */
export function requireConfiguration(file: string, report: Report): Configuration {
  const loaded: Loaded = loadConfig(file)
  if (!loaded.ok) {
    tellProblems(report, file, loaded.problems)
    throw invalid(file, loaded.problems)
  }
  tellProblems(report, file, loaded.warnings)
  return { file, config: loaded.config, locate: loaded.locate }
}

export const invalid = (file: string, problems: readonly Problem[]): CommandEnd => {
  const count = problems.filter(problem => problem.severity !== 'warning').length
  return new CommandEnd(2, `${file} has ${count === 1 ? 'a problem' : `${count} problems`}; nothing was done`)
}
