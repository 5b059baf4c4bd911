/**
 * Runs a gateway until a signal ends it: prints the bound addresses, drains on SIGTERM and SIGINT.
 */
import { availableParallelism } from 'node:os'
import { extname, join } from 'node:path'
import { workersOf } from '../config/divided.ts'
import { type Problem, pathText } from '../config/problem.ts'
import type { Config } from '../config/schema.ts'
import { type Gateway, startGateway } from '../gateway.ts'
import { systemClock } from '../kernel/clock.ts'
import { giveBackInPauses, giveBackSoon } from '../kernel/give-back.ts'
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
  /** From which it comes; with it, one text for all that was read of it. Absent: from none, and there are no workers. */
  readonly file?: string
  readonly print?: string | undefined
  /** Files whose change is a reason to read it again. */
  readonly files: Iterable<string>
  again(): {
    readonly config: Config | undefined
    readonly materials: Materials | undefined
    readonly problems: readonly Problem[]
    readonly print?: string | undefined
    /** Undefined: it is not known which; those from before are looked at on. */
    readonly files: Iterable<string> | undefined
  }
}

/** Compiled or not, as this file is. */
const workerProgram = join(import.meta.dirname, `worker${extname(import.meta.filename)}`)

/** @returns when the gateway has stopped. @param onReady  told after the addresses are printed */
export async function runGateway(source: Source, report: Report, onReady: () => void = () => undefined): Promise<void> {
  const { config, materials } = source
  const { log, flush, pass } = createLog(config.log)
  const options = {
    ...{ log, metrics: createMetrics(), clock: systemClock },
    materialsChanged: () => void reload('a certificate was renewed'),
  }
  // Both from the beginning: what changes or is asked for while it starts is heeded when it runs.
  let gateway: Gateway | undefined
  let isAskedEarly = false
  let isStopping = false
  using watch = watchFiles(changed => void reload('files have changed', changed))
  watch.follow(source.files)
  process.on('SIGHUP', () => void reload('SIGHUP'))
  gateway = await start().catch((cause: unknown) => {
    flush()
    throw bindProblem(cause)
  })
  await using running = gateway
  async function start(): Promise<Gateway> {
    const { file, print } = source
    const { workers, because } = workersOf(config, availableParallelism())
    if (because !== undefined)
      log.info({ workers, [pathText(because.path)]: because.limit }, 'workers: auto is fewer than there are processors')
    if (workers === 1 || file === undefined || print === undefined) return startGateway(config, materials, options)
    const { startPrimary } = await import('../workers/primary.ts')
    return startPrimary(
      { config, materials, print },
      { ...options, workers, program: workerProgram, arguments: [file], pass },
    )
  }
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
  giveBackSoon(0)
  using _pauses = giveBackInPauses()

  if (isAskedEarly) void reload('asked for while it started')
  const why = await untilStopped(log, ['SIGTERM', 'SIGINT'])
  isStopping = true
  await running.drain()
  log.info({}, 'stopped')
  flush()
  if (why === 'bug') throw new CommandEnd(1, 'the gateway stopped because of a bug; the log holds the details')
}
