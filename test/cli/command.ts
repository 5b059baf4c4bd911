/**
 * Runs the real command as an operator would: in a folder, with standard input from a pipe or with a terminal.
 */
import { spawn } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const launcher = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Surroundings {
  readonly cwd: string
  /** What comes through the pipe; absent: nothing. */
  readonly input?: string
  readonly env?: NodeJS.ProcessEnv
}

export function sallyport(args: readonly string[], { cwd, input = '', env = {} }: Surroundings): Promise<Ended> {
  const child = spawn(process.execPath, [launcher, ...args], { cwd, env: { ...process.env, NO_COLOR: '1', ...env } })
  const { promise, resolve, reject } = Promise.withResolvers<Ended>()
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', text => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
  child.once('error', reject).once('close', code => resolve({ code, stdout, stderr }))
  // A command that ends without reading what it was given is no fault of the test.
  child.stdin.on('error', () => undefined).end(input)
  return promise
}

/** `script` of util-linux gives a terminal to whatever runs in it. */
export const hasTerminal = existsSync('/usr/bin/script')

export interface Line {
  /** What must be on the screen first, counted from the last line that was typed. */
  readonly after: string
  readonly type: string
}

/** The screen holds all that a person would have seen, echo included. */
export function onTerminal(args: readonly string[], cwd: string, lines: readonly Line[]) {
  const words = [process.execPath, launcher, ...args].map(word => `'${word.replaceAll("'", `'\\''`)}'`)
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
    child.stdin.write(next.type)
  })
  child.once('error', reject).once('close', code => resolve({ code, screen }))
  return promise
}

export const modeOf = (file: string) => (statSync(file).mode & 0o777).toString(8).padStart(4, '0')
