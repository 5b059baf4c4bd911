/**
 * The work that is measured: each scenario is a row of the table.
 */
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { framePath } from './ground.ts'
import { type Aim, download, http1, http2, type Load, LoadFailure, own, steady, upload } from './load.ts'
import { memoryOf } from './processes.ts'

interface Common {
  readonly name: string
  readonly title: string
  readonly unit: string
  /** HTTP/2. */
  readonly http2?: true
}

export interface Speed extends Common {
  readonly kind: 'speed'
  run(aim: Aim): Promise<Load>
  /** Done before it is measured. Absent: `run`. */
  warm?(aim: Aim): Promise<Load>
  /** How many times as long that takes as with other work. Absent: 1. */
  readonly warmTimes?: number
}

/** Less is better; nothing but the value counts. */
export interface Weight extends Common {
  readonly kind: 'weight'
  /** @returns MB for each worker */
  run(aim: Aim): Promise<{ readonly value: number; readonly rss: number }>
}

export type Scenario = Speed | Weight

export const steadyRate = 2_000
const idleConnections = 1_000

const speed = (
  name: string,
  title: string,
  unit: string,
  run: Speed['run'],
  more: Pick<Speed, 'http2' | 'warm' | 'warmTimes'> = {},
): Speed => ({
  ...{ kind: 'speed', name, title, unit, run },
  ...more,
})
const weight = (name: string, title: string, connections: number): Weight => ({
  ...{ kind: 'weight', name, title, unit: 'MB' },
  run: aim => weigh(aim, connections),
})
const both = { http2: true } as const
/** V8 compiles what has run often, and a new connection is as much work as twenty requests. */
const seldom = { warmTimes: 4 } as const

export const scenarios: readonly Scenario[] = [
  speed('h1-1k', '1 KB JSON, HTTP/1.1', 'req/s', aim => http1(aim, '/1k')),
  speed('h2-1k', '1 KB JSON, HTTP/2', 'req/s', aim => http2(aim, '/1k'), both),
  speed('h1-512k', '512 KB frame, HTTP/1.1', 'MB/s', aim => http1(aim, '/512k')),
  speed('h2-512k', '512 KB frame, HTTP/2', 'MB/s', aim => http2(aim, '/512k'), both),
  // nginx and the others pass it on, as they do unless somebody gives them a cache.
  speed('h1-cached', '512 KB frame from `cache:`, HTTP/1.1', 'MB/s', aim => http1(aim, framePath)),
  speed('h2-cached', '512 KB frame from `cache:`, HTTP/2', 'MB/s', aim => http2(aim, framePath), both),
  speed('download-h1', '200 MB download, HTTP/1.1', 'MB/s', aim => download(aim, 'http1.1')),
  speed('download-h2', '200 MB download, HTTP/2', 'MB/s', aim => download(aim, 'http2'), both),
  speed('upload-h1', '50 MB upload, HTTP/1.1', 'MB/s', aim => upload(aim, 'http1.1')),
  speed('upload-h2', '50 MB upload, HTTP/2', 'MB/s', aim => upload(aim, 'http2'), both),
  speed('handshake-full', 'new connection, full handshake, one request', 'conn/s', aim => own(aim, 'full'), seldom),
  speed('handshake-resumed', 'new connection, resumed, one request', 'conn/s', aim => own(aim, 'resumed'), seldom),
  speed('p99', `p99 at ${steadyRate} req/s of 1 KB, HTTP/1.1`, 'ms', aim => steady(aim, steadyRate), {
    // At a fixed rate it would take minutes to get warm.
    warm: aim => http1(aim, '/1k'),
  }),
  weight('memory-idle', 'memory for each worker, just started', 0),
  weight('memory-1000', 'memory for each worker, 1,000 idle connections', idleConnections),
]

/** A connection that has had one answer, and waits. */
async function idleConnection({ ground, running, certificate }: Aim): Promise<TLSSocket> {
  const { client, authority } = ground
  const socket = connect({
    ...{ host: '127.0.0.1', port: running.port, servername: 'localhost', ca: authority.caPem },
    ALPNProtocols: ['http/1.1'],
    ...(certificate ? { cert: client.chainPem, key: client.keyPem } : {}),
  })
  await once(socket, 'secureConnect')
  const head = Object.entries(running.headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`GET /1k HTTP/1.1\r\nHost: localhost:${running.port}\r\n${head.join('')}\r\n`)
  const [first] = await once(socket, 'data')
  if (!String(first).startsWith('HTTP/1.1 200')) throw new LoadFailure(`answered: ${String(first).slice(0, 200)}`)
  socket.resume().on('error', () => undefined)
  return socket
}

async function weigh(aim: Aim, connections: number): Promise<{ value: number; rss: number }> {
  const sockets: TLSSocket[] = []
  try {
    while (sockets.length < connections)
      sockets.push(...(await Promise.all(Array.from({ length: 20 }, () => idleConnection(aim)))))
    await pause(1_000)
    const open = sockets.filter(socket => socket.readyState === 'open').length
    if (open < connections) throw new LoadFailure(`only ${open} of ${connections} connections are still open`)
    const { pss, rss } = memoryOf(aim.running.pids)
    return { value: pss / aim.workers, rss: rss / aim.workers }
  } finally {
    for (const socket of sockets) socket.destroy()
  }
}
