/**
 * Whether others are served while somebody attacks: a client that asks again and again, and the memory of the gateway.
 *
 * Sources of the bounds: p99 at most twice that of quiet times in the same run, memory back within a tenth.
 */
import { readFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { within } from '../behaviour/app.ts'

export interface Served {
  /** Milliseconds of each answer. */
  readonly times: readonly number[]
  /** Answers that were not 200, or did not come. */
  readonly failed: number
}

export const percentile = (times: readonly number[], part: number): number =>
  times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0

/** Asks on one connection, one request behind the other, until both are there: `until`, and this many answers. */
export async function served(url: string, ca: string, least: number, until: Promise<unknown>): Promise<Served> {
  const session = connect(url, { ca })
  session.on('error', () => undefined) // each request tells it
  const times: number[] = []
  let [failed, over] = [0, false]
  void until.then(() => {
    over = true
  })
  const ask = () =>
    new Promise<boolean>(resolve => {
      const stream = session.request({ ':path': '/well' })
      let status = 0
      stream.once('response', headers => {
        status = Number(headers[':status'])
      })
      stream.once('error', () => resolve(false))
      stream.once('close', () => resolve(status === 200))
      stream.resume()
    })
  const deadline = Date.now() + 20_000
  while (!over || (times.length < least && Date.now() < deadline)) {
    const from = performance.now()
    if (await ask()) times.push(performance.now() - from)
    else failed++
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  session.destroy()
  return { times, failed }
}

/** Megabytes that a process holds. */
export const memoryOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

/** Whether a process is back at what it held before, or a tenth more. */
export const isBack = (pid: number, before: number): Promise<boolean> =>
  within(5_000, () => memoryOf(pid) <= before * 1.1)
