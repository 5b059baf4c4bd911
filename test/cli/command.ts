/**
 * The real command as an operator meets it: with standard input from a pipe (test/fixture/command.ts), or at a terminal.
 */
import { spawn } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { program, runCommand } from '../fixture/command.ts'

export interface Surroundings {
  readonly cwd: string
  /** What comes through the pipe; absent: nothing. */
  readonly input?: string
  readonly env?: NodeJS.ProcessEnv
}

export async function sallyport(args: readonly string[], surroundings: Surroundings) {
  const { exitCode: code, stdout, stderr } = await runCommand(args, surroundings)
  return { code, stdout, stderr }
}

/** `script` of util-linux gives a terminal to whatever runs in it. */
export const hasTerminal = existsSync('/usr/bin/script')

export interface Line {
  /** What must be on the screen first, counted from the last line that was typed. */
  readonly after: string
  /** A function: what is to happen before it is typed. */
  readonly type: string | (() => string)
}

/** The screen holds all that a person would have seen, echo included. */
export function onTerminal(args: readonly string[], cwd: string, lines: readonly Line[]) {
  const words = [process.execPath, program, ...args].map(word => `'${word.replaceAll("'", `'\\''`)}'`)
  const child = spawn('/usr/bin/script', ['-qefc', words.join(' '), '/dev/null'], { cwd, stdio: 'pipe' })
  const { promise, resolve, reject } = Promise.withResolvers<{ code: number | null; screen: string }>()
  const left = [...lines]
  let screen = ''
  let unread = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    screen += text
    unread += text
    const [next] = left
    if (next === undefined || !unread.includes(next.after)) return
    left.shift()
    unread = ''
    child.stdin.write(typeof next.type === 'string' ? next.type : next.type())
  })
  child.once('error', reject).once('close', code => resolve({ code, screen }))
  return promise
}

export const modeOf = (file: string) => (statSync(file).mode & 0o777).toString(8).padStart(4, '0')
