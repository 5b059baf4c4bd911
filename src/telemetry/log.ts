/**
 * One structured logger, handed down. JSON lines on stderr, or readable ones on a terminal.
 *
 * What is logged is named field by field where it is logged; secrets are of type Secret and print as a placeholder.
 */
import { destination, type Logger, pino } from 'pino'
import pretty from 'pino-pretty'

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

export interface LogSettings {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly format: 'auto' | 'json' | 'pretty'
}

/** @returns the logger and a way to write out what is still held back */
export function createLog({ level, format }: LogSettings): { log: Log; flush(): void } {
  const readable = format === 'pretty' || (format === 'auto' && process.stderr.isTTY === true)
  const options = { level, timestamp: () => `,"time":"${new Date().toISOString()}"`, base: null }
  if (readable) {
    const stream = pretty({
      destination: 2,
      sync: true,
      translateTime: 'SYS:HH:MM:ss',
      messageFormat: '{msg}',
      singleLine: true,
    })
    return { log: pino(options, stream), flush: () => undefined }
  }
  const stream = destination({ dest: 2, sync: false, minLength: 4096, periodicFlush: 200 })
  return {
    log: pino(options, stream),
    flush() {
      try {
        stream.flushSync()
      } catch {
        // The pipe behind stderr is gone: there is nobody left to tell.
      }
    },
  }
}
