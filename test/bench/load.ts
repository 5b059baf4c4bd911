/**
 * The load generators, each run for some seconds against one gateway: how much was done, in which time, and every error.
 *
 * An answer that is not the one that was asked for is a LoadFailure, never work that counts. Not to forget: wrk and h2load
 * show no client certificate, and ab, which does, speaks HTTP/1.0; load-client.ts stands in. curl carries the large bodies.
 * Source: wrk(1) and its SCRIPTING, h2load(1), curl(1).
 */
import { execFile } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type BodyPath, bodySizes, type Ground, uploadSize } from './ground.ts'
import { coresFor } from './processes.ts'
import type { Running } from './targets/target.ts'

export interface Load {
  /** Requests, connections, or MB. */
  readonly units: number
  readonly seconds: number
  /** Requests that were answered as they should be. */
  readonly answers: number
  /** ms, where they were asked for. */
  readonly latency?: { readonly p50: number; readonly p99: number }
}

export interface Aim {
  readonly ground: Ground
  readonly running: Running
  readonly workers: number
  readonly seconds: number
  /** Shows the client certificate. */
  readonly certificate: boolean
}

/** The gateway answered something else than what was asked for, or not at all. */
export class LoadFailure extends Error {
  override readonly name = 'LoadFailure'
}

const execute = promisify(execFile)
const megabyte = 1024 * 1024

/** Runs it on the processors of the load; rejects with a LoadFailure that holds what it said. */
async function tool({ workers, seconds }: Aim, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const all = ['-c', coresFor(workers).rest, command, ...args]
  try {
    const { stdout } = await execute('/usr/bin/taskset', all, {
      maxBuffer: 2 ** 26,
      timeout: (seconds + 60) * 1000,
      env: { ...process.env, NODE_OPTIONS: '', ...env },
    })
    return stdout
  } catch (error) {
    const { stdout = '', stderr = '', killed } = error as { stdout?: string; stderr?: string; killed?: boolean } // of execFile
    if (killed === true) throw new LoadFailure(`${command} came to no end: requests without an answer`)
    throw new LoadFailure(`${command} failed: ${`${stderr}\n${stdout}`.trim().slice(-1_000) || error}`)
  }
}

/** The number that a pattern finds in what a tool said. */
function number(text: string, pattern: RegExp): number {
  const found = pattern.exec(text)?.[1]
  if (found === undefined) throw new LoadFailure(`${pattern} is not in:\n${text.slice(-1_000)}`)
  return Number(found)
}

function demand(holds: boolean, text: string): asserts holds {
  if (!holds) throw new LoadFailure(text.trim().slice(-600))
}

const headerArgs = ({ running }: Aim) => Object.entries(running.headers).flatMap(([k, v]) => ['-H', `${k}: ${v}`])
const url = ({ running }: Aim, path: string) => `https://127.0.0.1:${running.port}${path}`
/** All gateways know themselves by this name; the tools would send the address. */
const host = ({ running }: Aim) => `localhost:${running.port}`

/** Small and middle-sized answers in requests, or in MB where one is larger than 64 KB. */
function loadOf(path: BodyPath, answers: number, seconds: number): Load {
  demand(answers > 0, 'not one answer')
  const size = bodySizes[path]
  return { units: size > 65_536 ? (answers * size) / megabyte : answers, seconds, answers }
}

const wrkScript = `done = function(summary)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"us":%d,"bytes":%d,"errors":%d}',
    summary.requests, summary.duration, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout))
end`

export async function http1(aim: Aim, path: BodyPath): Promise<Load> {
  if (aim.certificate) return own(aim, 'http1', path)
  const script = join(aim.ground.dir, 'wrk.lua')
  writeFileSync(script, wrkScript)
  const args = [
    '-t1',
    '-c32',
    `-d${Math.ceil(aim.seconds)}s`,
    '-s',
    script,
    ...headerArgs(aim),
    '-H',
    `Host: ${host(aim)}`,
  ]
  const said = await tool(aim, 'wrk', [...args, url(aim, path)])
  const result = JSON.parse(/\{"requests".*\}/.exec(said)?.[0] ?? '{}') as Record<
    'requests' | 'us' | 'bytes' | 'errors',
    number
  > // the script above
  demand(result.errors === 0, said)
  demand(result.bytes >= result.requests * bodySizes[path], `answers are too short: ${said}`)
  return loadOf(path, result.requests, result.us / 1e6)
}

/** One result line of curl for each transfer. */
const curlForm = '%{http_code} %{http_version} %{size_download} %{size_upload}\n'

/** A few large transfers on one connection, again and again. */
async function curl(
  aim: Aim,
  protocol: 'http1.1' | 'http2',
  path: string,
  size: number,
  more: readonly string[],
): Promise<Load> {
  const certificate = aim.certificate ? ['--cert', aim.ground.client.certFile, '--key', aim.ground.client.keyFile] : []
  const same = [
    '-sS',
    `--${protocol}`,
    '--cacert',
    aim.ground.authority.caFile,
    '--tlsv1.3',
    ...certificate,
    ...headerArgs(aim),
  ]
  const target = `https://localhost:${aim.running.port}${path}?[1-${aim.seconds < 1 ? 1 : 4}]`
  const begin = performance.now()
  let transfers = 0
  do {
    const said = await tool(aim, 'curl', [...same, '-w', curlForm, '-o', '/dev/null', ...more, target])
    for (const line of said.trim().split('\n')) {
      const [status, version, down, up] = line.split(' ')
      const moved = more.length === 0 ? down : up
      const wanted = status === '200' && Number(moved) === size && version === (protocol === 'http2' ? '2' : '1.1')
      demand(wanted, `curl ${path}: ${line}`)
      transfers++
    }
  } while (performance.now() - begin < aim.seconds * 1000)
  return { units: (transfers * size) / megabyte, seconds: (performance.now() - begin) / 1000, answers: transfers }
}

export const download = (aim: Aim, protocol: 'http1.1' | 'http2'): Promise<Load> =>
  curl(aim, protocol, '/200m', bodySizes['/200m'], [])

export const upload = (aim: Aim, protocol: 'http1.1' | 'http2'): Promise<Load> =>
  curl(aim, protocol, '/upload', uploadSize, ['-X', 'POST', '-T', aim.ground.uploadFile, '-H', 'Expect:'])

interface H2load {
  readonly path: BodyPath
  readonly args: readonly string[]
  readonly protocol: 'h2' | 'http/1.1'
}

async function h2load(aim: Aim, { path, args, protocol }: H2load): Promise<Load> {
  const list = protocol === 'h2' ? ['--npn-list=h2'] : ['--h1']
  // On a busy machine a fraction of a second may pass without an answer.
  const length = aim.seconds < 1 ? ['-n', '200'] : ['-D', String(aim.seconds)]
  const said = await tool(aim, 'h2load', [
    ...['-t1', ...length, ...args, ...list, ...headerArgs(aim)],
    // The name of the first URL is the Host, the base is where it connects to.
    ...[`--connect-to=127.0.0.1:${aim.running.port}`, `https://${host(aim)}${path}`],
  ])
  // It would fall back to HTTP/1.1 without a word.
  demand(new RegExp(`^Application protocol: ${protocol}$`, 'm').test(said), said)
  const answers = number(said, /(\d+) succeeded/)
  const wrong = [/(\d+) failed/, /(\d+) errored/, /(\d+) timeout/, /(\d+) 3xx/, /(\d+) 4xx/, /(\d+) 5xx/]
  demand(
    wrong.every(pattern => number(said, pattern) === 0),
    said,
  )
  demand(number(said, /\((\d+)\) data/) >= answers * bodySizes[path], `answers are too short: ${said}`)
  return loadOf(path, answers, number(said, /finished in ([\d.]+)/) * (/finished in [\d.]+ms/.test(said) ? 0.001 : 1))
}

export function http2(aim: Aim, path: BodyPath): Promise<Load> {
  if (aim.certificate) return own(aim, 'http2', path)
  const streams = path === '/1k' ? '32' : '8'
  return h2load(aim, { path, protocol: 'h2', args: ['-c', '4', '-m', streams] })
}

/** Milliseconds in which connections are made, which is another work: their handshakes are the slowest hundredth of two seconds. */
const settling = 500
const settlingOf = ({ seconds }: Aim): number => (seconds < 1 ? 0 : settling)
/** A hundredth of the requests, and not one pause, is to be seen: it lasts so many times as long as other work. */
const patience = 4

/** Requests at a fixed rate, far below what it could do: how long the slowest of a hundred waits. */
export async function steady(short: Aim, requestsPerSecond: number): Promise<Load> {
  const aim = { ...short, seconds: short.seconds < 1 ? short.seconds : short.seconds * patience }
  if (aim.certificate) return own(aim, 'steady', String(requestsPerSecond))
  const log = join(aim.ground.dir, 'steady.log')
  rmSync(log, { force: true }) // it would append
  const clients = 20
  const args = ['-c', String(clients), '--rps', String(requestsPerSecond / clients), '--log-file', log]
  const load = await h2load(aim, { path: '/1k', protocol: 'http/1.1', args })
  const rows = readFileSync(log, 'utf8').trim().split('\n')
  const all = rows.map(row => row.split('\t').map(Number) as [begin: number, status: number, took: number]) // microseconds
  const from = Math.min(...all.map(([begin]) => begin)) + settlingOf(aim) * 1000
  const times = all.filter(([begin]) => begin >= from).map(([, , took]) => took / 1000)
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.floor((times.length - 1) * share)] ?? 0
  return { ...load, latency: { p50: at(0.5), p99: at(0.99) } }
}

/** What no tool of others does; see load-client.ts for its answer. */
export async function own(
  aim: Aim,
  work: 'http1' | 'http2' | 'full' | 'resumed' | 'steady',
  about = '/1k',
): Promise<Load> {
  const { ground, running, certificate, seconds } = aim
  const terms = {
    ...{ work, about, port: running.port, seconds, headers: running.headers, ca: ground.authority.caFile },
    settling: settlingOf(aim),
    ...(certificate ? { cert: ground.client.certFile, key: ground.client.keyFile } : {}),
  }
  const program = join(import.meta.dirname, 'load-client.ts')
  const said = await tool(aim, process.execPath, [program], { TERMS: JSON.stringify(terms) })
  const { answers, seconds: took, latency, failure } = JSON.parse(said) as Load & { failure?: string } // our own program
  demand(failure === undefined, failure ?? '')
  if (work === 'http1' || work === 'http2') return loadOf(about as BodyPath, answers, took) // what they were given
  demand(answers > 0, 'not one answer')
  return { units: answers, answers, seconds: took, ...(latency === undefined ? {} : { latency }) }
}
