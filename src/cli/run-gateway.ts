/**
 * Runs a gateway until a signal ends it: prints the bound addresses, drains on SIGTERM and SIGINT.
 */
import type { Problem } from '../config/problem.ts'
import type { Config } from '../config/schema.ts'
import { type Gateway, startGateway } from '../gateway.ts'
import { systemClock } from '../kernel/clock.ts'
import type { Materials } from '../preflight.ts'
import { createLog } from '../telemetry/log.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { bindProblem } from './bind-problem.ts'
import { watchFiles } from './file-watch.ts'
import { CommandEnd, type Report } from './report.ts'
import { untilStopped } from './until-stopped.ts'

/** The configuration as it is now, and how to read it again. */
export interface Source {
  readonly config: Config
  readonly materials: Materials
  /** Files whose change is a reason to read it again. */
  readonly files: Iterable<string>
  again(): {
    readonly config: Config | undefined
    readonly materials: Materials | undefined
    readonly problems: readonly Problem[]
    /** Undefined: it is not known which; those from before are looked at on. */
    readonly files: Iterable<string> | undefined
  }
}

/** @returns when the gateway has stopped. @param onReady  told after the addresses are printed */
export async function runGateway(source: Source, report: Report, onReady: () => void = () => undefined): Promise<void> {
  const { config, materials } = source
  const { log, flush } = createLog(config.log)
  const surroundings = { log, metrics: createMetrics(), clock: systemClock }
  const materialsChanged = () => void reload('a certificate was renewed')
  // Both from the beginning: what changes or is asked for while it starts is heeded when it runs.
  let gateway: Gateway | undefined
  let isAskedEarly = false
  let isStopping = false
  using watch = watchFiles(changed => void reload('files have changed', changed))
  watch.follow(source.files)
  process.on('SIGHUP', () => void reload('SIGHUP'))
  gateway = await startGateway(config, materials, { ...surroundings, materialsChanged }).catch((cause: unknown) => {
    flush()
    throw bindProblem(cause)
  })
  await using running = gateway
  async function reload(reason: string, files: readonly string[] = []) {
    if (isStopping) return
    isAskedEarly = gateway === undefined
    if (gateway === undefined) return
    log.info({ reason, ...(files.length > 0 ? { files } : {}) }, 'reading the configuration again')
    const outcome = await gateway.reload(() => {
      const read = source.again()
      if (read.files !== undefined) watch.follow(read.files)
      return read
    })
    if (outcome.ok) log.info({ reason }, 'the configuration was read again, and is at work')
    else log.error({ reason, why: outcome.why }, 'the configuration was not taken: what ran before goes on')
  }
  for (const { name, urls } of running.listeners) {
    for (const url of urls) report.result(`listening ${url} (${name})`, { listening: url, listener: name })
  }
  onReady()

  if (isAskedEarly) void reload('asked for while it started')
  const why = await untilStopped(log, ['SIGTERM', 'SIGINT'])
  isStopping = true
  await running.drain()
  log.info({}, 'stopped')
  flush()
  if (why === 'bug') throw new CommandEnd(1, 'the gateway stopped because of a bug; the log holds the details')
}
