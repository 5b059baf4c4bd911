/**
 * The gateway as a process that is reloaded, killed, stopped and started again on one port, with its memory read meanwhile.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { type ServedSite, type Site, serveSite } from '../fixture/site.ts'
import type { Mark, Sample } from './memory-plot.ts'
import type { Tally } from './tally.ts'

export interface SoakedProcess {
  readonly site: Site
  /** Of its life now; the port is the same in each. */
  served(): ServedSite
  reload(): Promise<void>
  /** Ends it by the signal and starts it again on the same state. */
  restart(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
  readonly samples: readonly Sample[]
  readonly marks: readonly Mark[]
}

const isBug = /"code":"bug"|a bug: it stops/

async function reloadsTaken(adminPort: number): Promise<number> {
  const metrics = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()
  return Number(/^sallyport_reloads_total\{outcome="taken"\} (\d+)/m.exec(metrics)?.[1] ?? 0)
}

export interface SoakTerms {
  readonly site: Site
  readonly adminPort: number
  readonly tally: Tally
}

export async function soakProcess(
  t: Pick<Test, 'teardown'>,
  { site, adminPort, tally }: SoakTerms,
): Promise<SoakedProcess> {
  const startedAt = Date.now()
  const now = () => (Date.now() - startedAt) / 1_000
  const samples: Sample[] = []
  const marks: Mark[] = []
  let life = 0
  let isExpected = false
  let served: ServedSite

  const start = async () => {
    served = await serveSite(t, site)
    isExpected = false
    const mine = served
    void served.ended.then(({ exitCode, signal, stderr }) => {
      if (isExpected && served === mine) return
      void tally.attempt('process', () =>
        Promise.reject(new Error(`it ended: ${exitCode} ${signal}\n${stderr.slice(-2_000)}`)),
      )
    })
  }
  const look = () => {
    try {
      const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${served.pid}/status`, 'utf8'))?.[1]
      if (kilobytes !== undefined) samples.push({ at: now(), megabytes: Math.round(Number(kilobytes) / 1_024), life })
    } catch {
      // It has just been ended; the next look is at its successor.
    }
  }
  await start()
  const looks = setInterval(look, 1_000)
  t.teardown(() => clearInterval(looks))
  t.teardown(() => {
    isExpected = true
  })

  let turn = 0
  return {
    site,
    samples,
    marks,
    served: () => served,
    async reload() {
      marks.push({ at: now(), what: 'reload' })
      await tally.attempt('reload', async () => {
        const before = await reloadsTaken(adminPort)
        // A changed limit: everything is built anew, and connections are asked to leave.
        const text = readFileSync(site.file, 'utf8').replace(/headerCount: \d+/, `headerCount: ${200 + (++turn % 2)}`)
        writeFileSync(site.file, text)
        served.signal('SIGHUP')
        for (let tries = 0; (await reloadsTaken(adminPort)) === before; tries++) {
          if (tries === 60) throw new Error(`not taken: ${served.stderr().slice(-500)}`)
          await pause(250)
        }
      })
    },
    async restart(signal) {
      marks.push({ at: now(), what: signal === 'SIGKILL' ? 'kill' : 'stop' })
      await tally.attempt(signal === 'SIGKILL' ? 'kill and start' : 'stop and start', async () => {
        const outage = tally.outage()
        isExpected = true
        const former = served
        former.signal(signal)
        const { exitCode, stderr } = await former.ended
        await pause(500)
        await start()
        outage.over()
        life++
        if (signal === 'SIGTERM' && exitCode !== 0)
          throw new Error(`it stopped with ${exitCode}: ${stderr.slice(-500)}`)
        if (isBug.test(stderr)) throw new Error(`a bug is in its log: ${isBug.exec(stderr)?.[0]}`)
      })
    },
  }
}
