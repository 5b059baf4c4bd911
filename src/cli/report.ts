/**
 * The rules of output: results on stdout, everything else on stderr; `--json` makes the result JSON and nothing else.
 *
 * Exit codes: 0 fine, 1 a fault or a check that found something, 2 the configuration or the command line is wrong.
 * Progress is shown on a terminal and stays quiet in a pipe.
 */
import { styleText } from 'node:util'
import { type Problem, pathText } from '../config/problem.ts'

/** An end that was foreseen: shown as a sentence with its cure, without a stack. */
export class CommandEnd extends Error {
  override readonly name = 'CommandEnd'
  readonly exitCode: 1 | 2
  readonly cure: string | undefined
  constructor(exitCode: 1 | 2, message: string, cure?: string) {
    super(message)
    this.exitCode = exitCode
    this.cure = cure
  }
}

export interface Progress {
  /** @param share  0 to 1; undefined when the end is not known */
  step(share: number | undefined, detail?: string): void
  done(): void
}

export interface Report {
  readonly json: boolean
  /** What the command was asked for: text for people, a value for `--json`. */
  result(text: string, value: unknown): void
  note(text: string): void
  warn(text: string): void
  /** Ends in exit code 1 or 2, but lets the command say more first. */
  fail(exitCode: 1 | 2, text: string, cure?: string): void
  progress(label: string): Progress
  readonly exitCode: 0 | 1 | 2
}

const colour = (style: 'red' | 'yellow' | 'dim' | 'bold', text: string) =>
  styleText(style, text, { stream: process.stderr })

export function createReport(json: boolean): Report {
  let exitCode: 0 | 1 | 2 = 0
  const say = (text: string) => process.stderr.write(`${text}\n`)
  return {
    json,
    get exitCode() {
      return exitCode
    },
    result: (text, value) =>
      void process.stdout.write(json ? `${JSON.stringify(value, undefined, 2)}\n` : text === '' ? '' : `${text}\n`),
    note: say,
    warn: text => say(`${colour('yellow', 'warning:')} ${text}`),
    fail(code, text, cure) {
      exitCode = code > exitCode ? code : exitCode
      say(`${colour('red', 'error:')} ${text}`)
      if (cure !== undefined) say(`${colour('dim', 'hint:')} ${cure}`)
    },
    progress(label) {
      if (process.stderr.isTTY !== true) return { step: () => undefined, done: () => undefined }
      let shown = 0
      return {
        step(share, detail = '') {
          const now = Date.now()
          if (now - shown < 80 && share !== 1) return
          shown = now
          const width = 24
          const filled = Math.round((share ?? 0) * width)
          const bar =
            share === undefined
              ? ''
              : ` [${'#'.repeat(filled)}${'.'.repeat(width - filled)}] ${Math.round(share * 100)} %`
          process.stderr.write(`\r\x1b[2K${label}${bar} ${detail}`)
        },
        done: () => void process.stderr.write('\r\x1b[2K'),
      }
    },
  }
}

/** `sallyport.yaml:12:5: routes[0].upstream: no upstream is called …` */
export function problemLine(file: string, { path, line, column, message, severity }: Problem): string {
  const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`
  const key = path.length === 0 ? '' : ` ${colour('bold', pathText(path))}:`
  return `${severity === 'warning' ? colour('yellow', 'warning: ') : ''}${place}:${key} ${message}`
}
