/**
 * A configuration that is read while one is at work: what can be refused of it before anything is touched.
 */
import { type Problem, pathText } from './config/problem.ts'
import type { Config } from './config/schema.ts'
import { causeLine } from './kernel/fault.ts'
import type { Materials } from './preflight.ts'
import type { Log } from './telemetry/log.ts'

/** The configuration with its files as they are now; without materials when there is an error among the problems. */
export type ReadConfiguration = () => Read

interface Read {
  readonly config: Config | undefined
  readonly materials: Materials | undefined
  readonly problems: readonly Problem[]
  /** Why there is no configuration, if no problem says it. */
  readonly why?: string
  /** Says whether two have read the same; where nobody asks, absent. */
  readonly print?: string | undefined
}

export type Reloaded = { readonly ok: true } | { readonly ok: false; readonly why: string }

/** What stays as it was at the start. */
export type Settled = Pick<Config, 'state' | 'sessions' | 'audit' | 'admin' | 'log' | 'workers'>

export const settledOf = ({ state, sessions, audit, admin, log, workers }: Config): Settled => ({
  ...{ state, sessions, audit, admin, log, workers },
})

/** The sections that have changed and are not heeded before a restart. */
export const restartKeys = (settled: Settled, next: Config): readonly string[] =>
  (['state', 'sessions', 'audit', 'admin', 'log', 'workers'] as const).filter(
    key => JSON.stringify(settled[key]) !== JSON.stringify(next[key]),
  )

export function readAgain(
  read: ReadConfiguration,
  settled: Settled,
  log: Log,
):
  | (Required<Pick<Read, 'print'>> & { readonly config: Config; readonly materials: Materials })
  | { readonly why: string } {
  let found: Read
  try {
    found = read()
  } catch (cause) {
    // Nothing has been touched yet. A file that trips the reader must not end a gateway that works.
    log.error({ cause: causeLine(cause), stack: cause instanceof Error ? cause.stack : undefined }, 'reading failed')
    return { why: 'the configuration, or a file that it names, cannot be read at all' }
  }
  const { config, materials, problems, print, why = 'the configuration has problems' } = found
  for (const { path, line, message, severity } of problems)
    log[severity === 'warning' ? 'warn' : 'error']({ key: pathText(path), line }, message)
  if (config === undefined || materials === undefined) return { why }
  if (config.state !== settled.state) return { why: 'the state folder moves only in a restart' }
  return { config, materials, print }
}
