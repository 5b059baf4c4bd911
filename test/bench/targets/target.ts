/**
 * What every gateway under comparison is asked for, and how each is started: pinned to its processors, log to a file.
 *
 * Not to forget: all get the same certificate, the same upstream with connections kept open, one access log line for
 * each request, and 75 s until an idle connection is closed.
 */
import { join } from 'node:path'
import { connect } from 'node:tls'
import type { Test } from 'tap'
import { onFreePorts } from '../../../src/demo/free-port.ts'
import { runProgram } from '../../../src/demo/program.ts'
import { answers } from '../../fixture/answers.ts'
import type { Ground } from '../ground.ts'

/** How the client says who it is. */
/** Of TLS 1.3: all gateways have it, and sallyport and Caddy prefer it. Another one would be other work. */
export const suite = 'TLS_AES_128_GCM_SHA256'

export const auths = ['off', 'session', 'certificate', 'basic'] as const
export type Auth = (typeof auths)[number]

export interface Job {
  readonly auth: Auth
  /** Processes or threads that serve. */
  readonly workers: number
}

export interface Running {
  readonly port: number
  /** Of everything that belongs to this gateway; children are counted with them. */
  readonly pids: readonly number[]
  /** What a client sends to be let in. */
  readonly headers: Readonly<Record<string, string>>
  /** What it logged last, for a failure. */
  log(): string
}

export interface Target {
  readonly name: string
  /** Debian package -> the program in it. */
  readonly packages: Readonly<Record<string, string>>
  /** HTTP/1.1 only. */
  readonly onlyHttp1?: true
  /** Seconds of the work before it is measured: of what is compiled while it runs, and so is another program then. Absent: 1. */
  readonly warmUp?: number
  /** Why not; undefined if it does this. */
  cannot(job: Job, scenario: string): string | undefined
  start(t: Pick<Test, 'teardown'>, ground: Ground, job: Job): Promise<Running>
}

export const can = (): undefined => undefined

interface Launch {
  readonly name: string
  /** As taskset has them; wherever it likes when absent. */
  readonly cores?: string
  /** Absolute path, and arguments once the port is known. */
  readonly command: (port: number) => readonly string[]
  readonly cwd: string
  readonly env?: NodeJS.ProcessEnv
  /** PEM: it must show a certificate of this authority, for somebody else may have taken the port meanwhile. */
  readonly ca?: string
}

export interface Launched {
  readonly port: number
  readonly pid: number
  log(): string
}

/** Starts a program on these processors, and waits until it takes connections on 127.0.0.1. */
export function launch(t: Pick<Test, 'teardown'>, { name, cores, command, cwd, env, ca }: Launch): Promise<Launched> {
  return onFreePorts(1, '127.0.0.1', async ([port = 0]) => {
    const pinned = cores === undefined ? [] : ['/usr/bin/taskset', '-c', cores]
    const [file = '', ...args] = [...pinned, ...command(port)]
    const program = await runProgram({
      command: file,
      args,
      logFile: join(cwd, `${name}.log`),
      cwd,
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      ready: () => (ca === undefined ? answers(port) : shows(ca, port)),
    })
    t.teardown(() => program.stop())
    return { port, pid: program.pid, log: () => program.log() }
  })
}

const shows = (ca: string, port: number): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port, ca, servername: 'localhost' }, () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
    // Whoever has taken the port in its place may not speak TLS.
    socket.setTimeout(2_000, () => socket.destroy(new Error('no handshake')))
  })

export const basicOf = ({ uid, password }: { readonly uid: string; readonly password: string }): string =>
  `Basic ${Buffer.from(`${uid}:${password}`).toString('base64')}`
