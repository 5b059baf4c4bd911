/**
 * A served site with workers: which of them answered, and their processes.
 *
 * Not to forget: which worker takes a connection is told by the log alone, a fifth of a second later.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import type { Test } from 'tap'
import { within } from '../behaviour/app.ts'
import { makeSite, type ServedSite, type Site, type SiteOptions, serveSite } from '../fixture/site.ts'

export interface Line {
  /** One request over the connection that it keeps, and the whole answer. */
  ask(path: string, headers?: Readonly<Record<string, string>>): Promise<{ status: number; text: string }>
  close(): void
}

export interface CrewSite extends ServedSite {
  readonly site: Site
  /** Address of /healthz and the others. */
  readonly admin: string
  /** One connection, made with the first request. */
  line(): Line
  /** Which worker has answered this path, of a request with an answer. */
  workerOf(path: string): Promise<number>
  /** Process ids of the workers that live now. */
  workers(): readonly number[]
  /** The value of a metric, all its labels together. */
  metric(name: string): Promise<number>
  /** Kinds of the events in the audit trail. */
  audited(): readonly string[]
}

export async function serveCrew(t: Pick<Test, 'teardown'>, options: SiteOptions): Promise<CrewSite> {
  const site = await makeSite(t, { ...options, yaml: `admin: { bind: "127.0.0.1:0" }\n${options.yaml}` })
  const served = await serveSite(t, site)
  const [, admin = ''] = await served.shows(/^listening (http:\S+) \(admin\)$/m)
  return {
    ...served,
    site,
    admin,
    line() {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      return {
        async ask(path, headers = {}) {
          const sent = request({
            ...{ host: '127.0.0.1', servername: 'localhost', port: served.port, ca: site.authority.caPem },
            ...{ agent, path, headers: { host: `localhost:${served.port}`, ...headers } },
          })
          sent.on('error', () => undefined) // told by once(); some are told of twice
          sent.end()
          const [answer]: IncomingMessage[] = await once(sent, 'response')
          if (answer === undefined) throw new Error('an event without its argument')
          const text = Buffer.concat(await Array.fromAsync(answer)).toString()
          return { status: answer.statusCode ?? 0, text }
        },
        close: () => agent.destroy(),
      }
    },
    async workerOf(path) {
      const told = new RegExp(`"worker":(\\d+)[^\\n]*"path":"${path}"`)
      await within(5_000, () => told.test(served.stderr()))
      return Number(told.exec(served.stderr())?.[1])
    },
    workers: () => childrenOf(served.pid),
    async metric(name) {
      const text = await (await fetch(`${admin}/metrics`, { headers: { connection: 'close' } })).text()
      const values = [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))]
      return values.reduce((sum, [, value]) => sum + Number(value), 0)
    },
    audited: () =>
      readFileSync(`${site.dir}/state/audit.jsonl`, 'utf8')
        .trimEnd()
        .split('\n')
        .map(line => (JSON.parse(line) as { kind: string }).kind), // our own lines have one
  }
}

/** The launcher of the command (setpriv, prlimit) becomes it, so its children are the workers. */
export const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
