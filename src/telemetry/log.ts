/**
 * One structured logger, handed down. JSON lines on stderr, or readable ones on a terminal.
 *
 * What is logged is named field by field where it is logged; secrets are of type Secret and print as a placeholder.
 *
 * Not to forget: what cannot be written (a full disk, a reader that has gone) ends nothing. Lines wait for the next try, as
 * long as they are few, and are lost after that.
 */
import { createRequire } from 'node:module'
import { destination, type Logger, pino } from 'pino'
import type pretty from 'pino-pretty'

export interface Log extends Pick<Logger, 'debug' | 'info' | 'warn' | 'error'> {
  /**
   * `info` with fields that are JSON already (`"a":1,"b":"c"`), for the one line that is written with every request.
   * Absent where lines are for people, or are not written.
   */
  readonly infoText?: (fields: string, message: string) => void
}

export interface LogSettings {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly format: 'auto' | 'json' | 'pretty'
}

/** Bytes that wait for a log that takes none. */
const mostHeld = 1024 * 1024

function standardError(settings: Parameters<typeof destination>[0] & object) {
  const stream = destination({ dest: 2, maxLength: mostHeld, ...settings })
  // Without a listener a full disk would count as a bug, and end the gateway.
  stream.on('error', () => undefined)
  return stream
}

/** Characters of lines that are written together, and milliseconds that the first of them waits for others. */
const together = { characters: 32 * 1024, milliseconds: 200 }

/** Holds lines back until there are enough of them: sonic-boom counts anew all that it holds with each line. */
function inBatches(write: (lines: string) => unknown) {
  let held: string[] = []
  let characters = 0
  let timer: NodeJS.Timeout | undefined
  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    if (characters === 0) return
    const lines = held.join('')
    held = []
    characters = 0
    write(lines)
  }
  return {
    write(line: string) {
      held.push(line)
      characters += line.length
      if (characters >= together.characters) flush()
      else timer ??= setTimeout(flush, together.milliseconds).unref()
    },
    flush,
  }
}

/** The time in a line, with what is always beside it; asked for thousands of times a second. */
function timeStamps(beside = (time: string) => time): () => string {
  let [at, text] = [Number.NaN, '']
  return () => {
    const now = Date.now()
    if (now !== at) [at, text] = [now, beside(`,"time":"${new Date(now).toISOString()}"`)]
    return text
  }
}

export interface OpenLog {
  readonly log: Log
  /** Writes whole lines of another process, between ours. */
  pass(lines: string): void
  /** Writes out what is still held back. */
  flush(): void
}

/** What `auto` stands for here. */
export const formatOf = ({ format }: Pick<LogSettings, 'format'>): 'json' | 'pretty' =>
  format === 'pretty' || (format === 'auto' && process.stderr.isTTY === true) ? 'pretty' : 'json'

/** @param worker  number of the process, for each line; undefined: there is only one */
export function createLog({ level, format }: LogSettings, worker?: number): OpenLog {
  const base = worker === undefined ? null : { worker }
  const options = { level, timestamp: timeStamps(), base }
  if (formatOf({ format }) === 'pretty') {
    const destination = standardError({ sync: true })
    // For people at a terminal only; a service does not load it.
    const readable = createRequire(import.meta.url)('pino-pretty') as typeof pretty
    const stream = readable({
      destination,
      translateTime: 'SYS:HH:MM:ss',
      messageFormat: '{msg}',
      singleLine: true,
    })
    return { log: pino(options, stream), pass: lines => void destination.write(lines), flush: () => undefined }
  }
  const stream = standardError({ sync: false })
  const batches = inBatches(lines => stream.write(lines))
  let isFailing = false
  stream.on('error', () => {
    isFailing = true
  })
  stream.on('write', () => {
    isFailing = false
  })
  const flush = () => {
    try {
      batches.flush()
      if (!isFailing) return stream.flushSync()
      // sonic-boom 4.2 tries a full disk for ever in flushSync, here and once more when the process ends.
      stream.destroy()
      stream.write = () => false
    } catch {
      // The pipe behind stderr is gone: there is nobody left to tell.
    }
  }
  // A bug ends the process without a word to anybody.
  process.once('exit', flush)
  const log: Log = pino(options, batches)
  if (level === 'warn' || level === 'error') return { log, pass: batches.write, flush }
  const before = timeStamps(time => `{"level":30${time}${worker === undefined ? '' : `,"worker":${worker}`},`)
  const infoText = (fields: string, message: string) => batches.write(`${before()}${fields},"msg":"${message}"}\n`)
  return { log: Object.assign(log, { infoText }), pass: batches.write, flush }
}
