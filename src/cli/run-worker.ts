/**
 * Runs a worker until its primary ends it, or a bug does.
 *
 * Signals are for the primary, which may share a terminal or a service with its workers: it says when to end. Without it a
 * worker ends at once (node:cluster sees to that).
 */
import { systemClock } from '../kernel/clock.ts'
import { createLog } from '../telemetry/log.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { formatVariable, seatVariable } from '../workers/member.ts'
import { runWorker } from '../workers/worker.ts'
import { readPrinted } from './served-file.ts'
import { closeSideDoors } from './side-doors.ts'
import { untilStopped } from './until-stopped.ts'

export async function runAsWorker(): Promise<never> {
  closeSideDoors()
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const)
    process.on(signal, () => undefined)

  const [file = ''] = process.argv.slice(2)
  const [number = 0, of = 0] = (process.env[seatVariable] ?? '').split('/').map(Number)
  const start = readPrinted(file)
  const format = process.env[formatVariable] === 'pretty' ? 'pretty' : 'json'
  const { log, flush } = createLog({ level: start.config?.log.level ?? 'info', format }, number)
  const done = await runWorker({
    ...{ seat: { number, of }, log, metrics: createMetrics(), clock: systemClock, start },
    again: () => readPrinted(file),
    port: {
      send: (message, failed) =>
        void process.send?.(message, undefined, undefined, error => error !== null && failed()),
      on: listener => void process.on('message', listener),
    },
    bug: untilStopped(log, []),
  })
  flush()
  process.exit(done ? 0 : 1)
}
