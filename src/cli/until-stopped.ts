/**
 * Waits until the program is told to end, by a signal or by a bug of its own.
 *
 * Not to forget: whoever asks twice does not want to wait, and ends it at once with exit code 1.
 */
import { causeLine } from '../kernel/fault.ts'
import type { Log } from '../telemetry/log.ts'

/** @param signals  those that mean a stop */
export async function untilStopped(log: Log, signals: readonly NodeJS.Signals[]): Promise<'signal' | 'bug'> {
  const { promise: asked, resolve: stop } = Promise.withResolvers<'signal' | 'bug'>()
  let isAsked = false
  const onSignal = (signal: string) => {
    if (isAsked) process.exit(1)
    isAsked = true
    log.info({ signal }, 'stopping: what runs may finish')
    stop('signal')
  }
  for (const signal of signals) process.on(signal, onSignal)
  const onBug = (thrown: unknown) => {
    log.error(
      { cause: causeLine(thrown), stack: thrown instanceof Error ? thrown.stack : undefined },
      'a bug: it stops, so that its supervisor can start it anew',
    )
    stop('bug')
  }
  process.once('uncaughtException', onBug).once('unhandledRejection', onBug)
  return await asked
}
