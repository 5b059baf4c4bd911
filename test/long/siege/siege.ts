/**
 * A gateway under siege: it, its upstream, the attackers and the honest clients each in a process of their own.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { makeSite, serveSite } from '../../fixture/site.ts'
import type { ClientsReport, FloodOrder, FloodReport } from './orders.ts'

export interface Siege {
  readonly port: number
  readonly pid: number
  /** Resident memory in MB, and open descriptors. */
  memory(): number
  descriptors(): number
  /** Sum of a metric, over all labels that fit. */
  metric(name: string, labels?: string): Promise<number>
  healthy(): Promise<boolean>
  log(): string
  /** Has honest clients ask for so long. */
  measure(milliseconds: number): Promise<ClientsReport>
  flood(order: Omit<FloodOrder, 'port'>): Promise<Flood>
}

export interface Flood {
  report(): FloodReport
  /** All connections at once, by the end of the process. */
  stop(): Promise<void>
}

export interface SiegeOptions {
  /** YAML of `listeners.web.limits`. */
  readonly limits?: string
  /** YAML inside the upstream. */
  readonly upstream?: string
}

function start(t: Pick<Test, 'teardown'>, name: string): ChildProcess {
  // NODE_OPTIONS: tap has every process of a test load what only a measurement of coverage needs.
  const { NODE_OPTIONS, ...env } = process.env
  const child = fork(join(import.meta.dirname, name), { env, execArgv: [] })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

export async function startSiege(t: Test, options: SiegeOptions = {}): Promise<Siege> {
  const { limits = '{}', upstream = '' } = options
  const [archive] = await once(start(t, 'archive.ts'), 'message')
  const site = await makeSite(t, {
    listener: `limits: ${limits}`,
    yaml: `
log: { level: warn }
admin: { bind: 127.0.0.1:0 }
upstreams: { app: { kind: generic, url: "http://127.0.0.1:${archive}"${upstream} } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const served = await serveSite(t, site)
  const { port, pid } = served
  const [, admin = ''] = await served.shows(/^listening (http:\S+) \(admin\)$/m)
  const clients = start(t, 'clients.ts')
  return {
    ...{ port, pid },
    memory: () => Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024),
    descriptors: () => readdirSync(`/proc/${pid}/fd`).length,
    async metric(name, labels = '') {
      const text = await (await fetch(`${admin}/metrics`)).text()
      const lines = text.split('\n').filter(line => line.startsWith(name) && line.includes(labels))
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
    },
    healthy: () => fetch(`${admin}/healthz`).then(({ ok }) => ok),
    log: served.stderr,
    async measure(milliseconds) {
      clients.send({ port, caPem: site.authority.caPem, milliseconds })
      const [report] = await once(clients, 'message')
      return report as ClientsReport // the only kind of message
    },
    async flood(order) {
      const child = start(t, 'flood.ts')
      let report: FloodReport = { open: 0, opened: 0, closed: 0 }
      child.on('message', message => {
        report = message as FloodReport // the only kind of message
      })
      child.send({ ...order, port })
      return {
        report: () => report,
        async stop() {
          if (child.exitCode !== null) return
          child.kill('SIGKILL')
          await once(child, 'exit')
        },
      }
    },
  }
}

/** Waits until `holds`, looking twice in a second; resolves with whether it came true. */
export async function holdsWithin(milliseconds: number, holds: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + milliseconds
  while (!(await holds())) {
    if (performance.now() > deadline) return false
    await pause(500)
  }
  return true
}
