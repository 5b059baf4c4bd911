/**
 * What processes cost, from the process table: CPU time of a whole tree, memory, what else this machine was doing.
 *
 * Linux only. CPU is counted in nanoseconds, thread by thread; a thread that ends between two looks is left out, so the
 * servers measured here keep theirs. Source: proc(5); Documentation/scheduler/sched-stats.rst for schedstat.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** Nothing for what is gone meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** These processes and all below them. */
export function treeOf(roots: readonly number[]): number[] {
  const childrenOf = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    // The name of the program may hold spaces and parentheses; the fields begin behind the last one.
    const parent = /^\d+$/.test(name) ? /\) \S (\d+)[^)]*$/.exec(read(`/proc/${name}/stat`))?.[1] : undefined
    if (parent !== undefined) childrenOf.set(Number(parent), [...(childrenOf.get(Number(parent)) ?? []), Number(name)])
  }
  const all = [...roots]
  for (const pid of all) all.push(...(childrenOf.get(pid) ?? []))
  return all
}

/** Thread -> nanoseconds on a processor. */
type CpuMark = ReadonlyMap<string, number>

const cpuMark = (roots: readonly number[]): CpuMark =>
  new Map(
    treeOf(roots).flatMap(pid => {
      let threads: string[] = []
      try {
        threads = readdirSync(`/proc/${pid}/task`)
      } catch {
        // It has ended.
      }
      return threads.map(
        thread => [`${pid}/${thread}`, Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0])] as const,
      )
    }),
  )

/** @returns asks for the seconds of CPU that these processes and all below them have used since */
export function cpuWatch(roots: readonly number[]): () => number {
  const before = cpuMark(roots)
  return () => {
    let spent = 0
    for (const [thread, now] of cpuMark(roots)) spent += Math.max(0, now - (before.get(thread) ?? 0))
    return spent / 1e9
  }
}

export interface Memory {
  /** MB; pages that several processes share are counted by halves, thirds ... */
  readonly pss: number
  readonly rss: number
}

/** Of these processes and all below them. */
export function memoryOf(roots: readonly number[]): Memory {
  const sum = (field: string) =>
    treeOf(roots).reduce((total, pid) => {
      const kilobytes = new RegExp(`^${field}: +(\\d+)`, 'm').exec(read(`/proc/${pid}/smaps_rollup`))?.[1]
      return total + Number(kilobytes ?? 0)
    }, 0) / 1024
  return { pss: sum('Pss'), rss: sum('Rss') }
}

const ticksPerSecond = 100 // USER_HZ, the same on every Linux that Node runs on

/** Seconds of CPU: of the whole machine, and of this process with the children that it has seen end. */
function busy(): { readonly all: number; readonly own: number } {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (
    read('/proc/stat').split('\n')[0] ?? ''
  )
    .split(/ +/)
    .slice(1)
    .map(Number)
  const fields = read('/proc/self/stat')
    .replace(/^.*\) /, '')
    .split(' ')
    .map(Number)
  const own = fields.slice(11, 15).reduce((sum, ticks) => sum + ticks, 0)
  return {
    all: (user + nice + system + irq + softirq + steal) / ticksPerSecond,
    own: own / ticksPerSecond,
  }
}

/** @returns asks how many processors somebody else has kept busy since; `known` are our own servers */
export function strangerWatch(known: readonly number[]): () => number {
  const [before, startedAt, spentByKnown] = [busy(), performance.now(), cpuWatch(known)]
  return () => {
    const now = busy()
    const strangers = now.all - before.all - (now.own - before.own) - spentByKnown()
    return Math.max(0, strangers / ((performance.now() - startedAt) / 1000))
  }
}

export interface Cores {
  /** As taskset has it: `0`, `0,1`. */
  readonly gateway: string
  /** For load and upstreams. */
  readonly rest: string
  /** True if one processor serves both: throughput then says little. */
  readonly shared: boolean
}

/** The gateway has the first ones, load and upstreams all others; on a small machine they must share the last. */
export function coresFor(workers: number, all = availableParallelism()): Cores {
  const list = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at).join(',')
  const taken = Math.min(workers, all)
  const shared = taken === all
  return { gateway: list(0, taken), rest: shared ? String(all - 1) : list(taken, all), shared }
}
