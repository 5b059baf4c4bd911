/**
 * The state of the configuration, opened for a command: only what it takes is read, so a listener whose certificate is missing
 * keeps nobody from a command.
 *
 * Not to forget: a command says what it has done, so what Redis was not told of is an error here.
 */
import type { Problem } from '../config/problem.ts'
import { systemClock } from '../kernel/clock.ts'
import { inspectStore } from '../redis/terms.ts'
import { openState, type State } from '../state.ts'
import { type Configuration, invalid, tellProblems } from './configuration.ts'
import type { Report } from './report.ts'

/** The configuration, where the state stands in a Redis, and nothing of it in files. */
export const sharedIn = (configuration: Configuration | undefined): Configuration | undefined =>
  configuration?.config.sessions.store.kind === 'redis' ? configuration : undefined

/** Rejects with Fault('state-unavailable'). @throws CommandEnd 2 where its settings are wrong */
export async function openConfiguredState({ config, file, locate }: Configuration, report: Report): Promise<State> {
  const problems: Problem[] = []
  const store = inspectStore(config.sessions.store, process.env, Date.now(), (key, message, severity) => {
    const problem = { path: ['sessions', 'store', key], message, ...(severity === undefined ? {} : { severity }) }
    problems.push(locate(problem))
  })
  tellProblems(report, file, problems)
  if (problems.some(({ severity }) => severity !== 'warning')) throw invalid(file, problems)
  return await openState({ config, clock: systemClock, store, changed: () => undefined })
}
