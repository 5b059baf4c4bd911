/**
 * Runs a gateway until a signal ends it: prints the bound addresses, drains on SIGTERM and SIGINT.
 */
import type { Config } from '../config/schema.ts'
import { startGateway } from '../gateway.ts'
import { systemClock } from '../kernel/clock.ts'
import { causeLine } from '../kernel/fault.ts'
import type { Materials } from '../preflight.ts'
import { createLog } from '../telemetry/log.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { CommandEnd, type Report } from './report.ts'

/** @returns when the gateway has stopped. @param onReady  told after the addresses are printed */
export async function runGateway(
  config: Config,
  materials: Materials,
  report: Report,
  onReady: () => void = () => undefined,
): Promise<void> {
  const { log, flush } = createLog(config.log)
  const gateway = await startGateway(config, materials, { log, metrics: createMetrics(), clock: systemClock }).catch(
    (cause: unknown) => {
      flush()
      throw startProblem(cause)
    },
  )
  await using _running = gateway
  for (const { name, urls } of gateway.listeners) {
    for (const url of urls) report.result(`listening ${url} (${name})`, { listening: url, listener: name })
  }
  onReady()

  const { promise: asked, resolve: stop } = Promise.withResolvers<'signal' | 'bug'>()
  const onSignal = (signal: string) => {
    log.info({ signal }, 'stopping: what runs may finish')
    stop('signal')
    // Whoever asks twice does not want to wait.
    for (const again of ['SIGTERM', 'SIGINT'] as const) process.once(again, () => process.exit(1))
  }
  process.once('SIGTERM', onSignal).once('SIGINT', onSignal)
  process.on('SIGHUP', () =>
    log.warn({}, 'reload is not built yet: nothing has changed; restart to take a new configuration'),
  )
  const onBug = (thrown: unknown) => {
    log.error(
      { cause: causeLine(thrown), stack: thrown instanceof Error ? thrown.stack : undefined },
      'a bug: the gateway stops, so that its supervisor can start it anew',
    )
    stop('bug')
  }
  process.once('uncaughtException', onBug).once('unhandledRejection', onBug)

  const why = await asked
  await gateway.drain()
  log.info({}, 'stopped')
  flush()
  if (why === 'bug') throw new CommandEnd(1, 'the gateway stopped because of a bug; the log holds the details')
}

/** A failure to bind, for a person. */
function startProblem(cause: unknown): unknown {
  if (!(cause instanceof Error) || !('syscall' in cause) || cause.syscall !== 'listen') return cause
  const { code, address, port } = cause as Error & { code?: string; address?: string; port?: number } // a listen error of Node has these
  const place = `${address ?? ''}:${port ?? ''}`
  if (code === 'EADDRINUSE')
    return new CommandEnd(1, `${place} is already in use`, 'end what listens there, or bind another port')
  if (code === 'EACCES')
    return new CommandEnd(
      1,
      `this account may not bind ${place}`,
      'ports below 1024 need CAP_NET_BIND_SERVICE, or a redirect in the firewall',
    )
  if (code === 'EADDRNOTAVAIL') return new CommandEnd(1, `${address} is no address of this machine`)
  return cause
}
