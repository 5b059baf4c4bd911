/**
 * A process that floods: opens connections, says what a flood says as fast as it is taken, and tells how each one ended.
 *
 * One of its own, so that whoever measures how others are served is not the one who attacks. Each flood comes from an
 * address of its own, as the gateway remembers those that flood.
 */
import { fork } from 'node:child_process'
import { connect as connectTcp } from 'node:net'
import { connect } from 'node:tls'
import { begins, type Flood, type FloodName, floods } from './http2-floods.ts'
import { goAway, headers, readFrames, reset } from './http2-frames.ts'

export interface FloodOrder {
  readonly port: number
  readonly ca: string
  readonly floods: readonly FloodName[]
  /** Floods at one time. */
  readonly together: number
  /** A flood that was not ended by then has won. */
  readonly milliseconds: number
  /** On new connections until the time is over, and not on one. */
  readonly insist?: boolean
  /** Third byte of the addresses that they come from: 0 when absent. */
  readonly network?: number
}

export interface FloodOutcome {
  readonly connections: number
  readonly bytes: number
  /** How they ended: `goaway 11`, `end`, the code of an error; `open` for one that was never ended. */
  readonly endings: readonly string[]
  /** Milliseconds that the first connection lasted. */
  readonly lasted: number
  readonly answers: number
  readonly resets: number
}

export type FloodOutcomes = Readonly<Record<FloodName, FloodOutcome>>

/** What the requests of a flood ask for. */
export const pathOf = (flood: FloodName): string => `/flood/${Object.keys(floods).indexOf(flood)}`

/** Connections that are cut by the flood itself. */
const cuts = 40

type Seen = { -readonly [Key in keyof FloodOutcome]: FloodOutcome[Key] } & { endings: string[] }

async function floodOnce(
  name: FloodName,
  { port, ca, network = 0 }: FloodOrder,
  until: number,
  seen: Seen,
): Promise<string> {
  const flood: Flood = floods[name]
  const from = `127.3.${network}.${Object.keys(floods).indexOf(name) + 1}`
  const wire = connectTcp({ port, host: '127.0.0.1', localAddress: from })
  const socket = connect({ socket: wire, servername: 'localhost', ca, ALPNProtocols: ['h2'] })
  let ended = ''
  let over = (): void => undefined
  const gone = new Promise<void>(resolve => {
    over = resolve
  })
  const end = (how: string) => {
    ended ||= how
    over()
  }
  for (const line of [wire, socket]) line.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? 'error'))
  socket.once('close', () => end('end'))
  socket.once('end', () => end('end'))
  const left = () => new Promise(resolve => setTimeout(resolve, Math.max(0, until - Date.now())))
  await Promise.race([new Promise(resolve => socket.once('secureConnect', resolve)), gone, left()])
  if (ended !== '' || Date.now() >= until) {
    socket.destroy()
    return ended || 'no handshake'
  }
  seen.connections++

  let [rest, code]: [Buffer, number | undefined] = [Buffer.alloc(0), undefined]
  if (flood.deaf === true) socket.pause()
  else
    socket.on('data', bytes => {
      const read = readFrames(Buffer.concat([rest, bytes]))
      rest = read.rest
      for (const { type, payload } of read.frames) {
        if (type === goAway) code ??= payload.readUInt32BE(4)
        if (type === headers) seen.answers++
        if (type === reset) seen.resets++
      }
    })
  const to = { authority: `localhost:${port}`, path: pathOf(name) }
  let piece = begins(flood, to)
  for (let n = 0; ended === '' && Date.now() < until; n++) {
    seen.bytes += piece.length
    const taken = socket.write(piece)
    if (flood.cut === true && n === 1) {
      await new Promise(resolve => setTimeout(resolve, 2))
      wire.resetAndDestroy()
      socket.destroy()
      return 'cut by the flood'
    }
    if (!taken) await Promise.race([new Promise(resolve => socket.once('drain', resolve)), gone, left()])
    else await new Promise(resolve => setImmediate(resolve))
    piece = flood.next(n, to)
  }
  await Promise.race([gone, left()])
  socket.destroy()
  return code === undefined ? ended || 'open' : `goaway ${code}`
}

async function flood(name: FloodName, order: FloodOrder): Promise<FloodOutcome> {
  const seen: Seen = { connections: 0, bytes: 0, endings: [], lasted: 0, answers: 0, resets: 0 }
  const [from, until] = [Date.now(), Date.now() + order.milliseconds]
  const more = (): boolean =>
    Date.now() < until && (order.insist === true || ((floods[name] as Flood).cut === true && seen.connections < cuts))
  do {
    seen.endings.push(await floodOnce(name, order, until, seen))
    seen.lasted ||= Date.now() - from
  } while (more())
  return seen
}

async function floodAll(order: FloodOrder): Promise<FloodOutcomes> {
  const outcomes: Partial<Record<FloodName, FloodOutcome>> = {}
  const left = [...order.floods]
  const one = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) outcomes[name] = await flood(name, order)
  }
  await Promise.all(Array.from({ length: order.together }, one))
  return outcomes as FloodOutcomes // each of the order has its own
}

/** Floods from a process of its own. */
export async function floodBy(order: FloodOrder): Promise<FloodOutcomes> {
  // NODE_OPTIONS: tap has every process of a test load what only a measurement of coverage needs.
  const { NODE_OPTIONS, ...env } = process.env
  const child = fork(import.meta.filename, ['flood'], { env, execArgv: [] })
  try {
    return await new Promise((resolve, reject) => {
      child.once('message', outcomes => resolve(outcomes as FloodOutcomes)) // what the last lines here send
      child.once('exit', code => reject(new Error(`the flooder ended with ${code}`)))
      child.send(order)
    })
  } finally {
    child.kill('SIGKILL')
  }
}

if (process.argv[2] === 'flood' && process.send !== undefined)
  process.once('message', async order => process.send?.(await floodAll(order as FloodOrder))) // floodBy sends it
