/**
 * Runs a foreign program (Orthanc, slapd ...) in the foreground, from start to readiness to end.
 *
 * It knows no program by name: readiness is a question that the caller asks. What the program prints goes to a file,
 * so that reading the log shows everything printed so far, without waiting for a pipe.
 * Not to forget: the program must not outlive us. Where the system can (setpriv of util-linux), the kernel kills it
 * when this process dies, however it dies.
 *
 * Source: prctl(2), PR_SET_PDEATHSIG.
 */
import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

export interface ProgramTerms {
  /** Absolute path. */
  readonly command: string
  readonly args: readonly string[]
  /** Where its output goes; overwritten. */
  readonly logFile: string
  readonly cwd?: string
  /** The whole environment; that of this process when absent. */
  readonly env?: NodeJS.ProcessEnv
  /** Asked every few milliseconds while the program lives; a rejection counts as "not yet". */
  readonly ready: () => Promise<boolean>
  /** Milliseconds; 20 s when absent. */
  readonly readyWithin?: number
  /** SIGTERM when absent; after `patience` (2 s) SIGKILL follows. */
  readonly stopSignal?: 'SIGTERM' | 'SIGKILL' | 'SIGINT'
}

export interface Program extends AsyncDisposable {
  readonly pid: number
  readonly running: boolean
  log(): string
  /** Resolves when the program is gone; safe to call twice. */
  stop(): Promise<void>
}

/** The program ended, or did not become ready. The message ends with what it printed last. */
export class ProgramFailure extends Error {
  override readonly name = 'ProgramFailure'
  readonly log: string

  constructor(what: string, log: string) {
    super(`${what}\n${log.slice(-4_000).trimEnd()}`)
    this.log = log
  }
}

const patience = 2_000
const warden = '/usr/bin/setpriv'

/** Starts the program and resolves when it is ready; rejects with a ProgramFailure, the program ended, if it is not. */
export async function runProgram(terms: ProgramTerms): Promise<Program> {
  const { command, logFile, ready, readyWithin = 20_000, stopSignal = 'SIGTERM' } = terms
  if (!existsSync(command)) throw new ProgramFailure(`${command} is not installed`, '')

  const output = openSync(logFile, 'w', 0o600)
  const guarded = existsSync(warden)
  const child = spawn(
    guarded ? warden : command,
    guarded ? ['--pdeathsig', 'KILL', '--', command, ...terms.args] : terms.args,
    { stdio: ['ignore', output, output], cwd: terms.cwd, env: terms.env ?? process.env },
  )
  closeSync(output)

  let ended: string | undefined
  const gone = new Promise<void>(resolve => {
    child.once('error', error => {
      ended = error.message
      resolve()
    })
    child.once('exit', (code, signal) => {
      ended = signal === null ? `exit code ${code}` : `signal ${signal}`
      resolve()
    })
  })
  const log = () => readFileSync(logFile, 'utf8')
  const stop = async () => {
    if (ended !== undefined) return
    child.kill(stopSignal)
    const killing = setTimeout(() => child.kill('SIGKILL'), patience)
    await gone
    clearTimeout(killing)
  }

  const deadline = Date.now() + readyWithin
  while (!(await ready().catch(() => false))) {
    if (ended !== undefined) throw new ProgramFailure(`${command} ended at once (${ended})`, log())
    if (Date.now() > deadline) {
      await stop()
      throw new ProgramFailure(`${command} was not ready within ${readyWithin} ms`, log())
    }
    await pause(15)
  }
  // Someone else may hold the port and have answered in its place.
  if (ended !== undefined) throw new ProgramFailure(`${command} ended at once (${ended})`, log())

  return {
    pid: child.pid ?? 0,
    get running() {
      return ended === undefined
    },
    log,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
