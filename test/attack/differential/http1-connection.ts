/**
 * One HTTP/1.1 connection of the fuzzer: what is sent on it, in which pieces, and what came back.
 *
 * Several messages follow each other for as long as the gate answers and stays, so that one may leave something behind
 * for the next. All of it comes from the seed and the number of the connection.
 */
import { connect, type SecureContext, type TLSSocket } from 'node:tls'
import { type Aim, behind, draftRequest } from './grammar.ts'
import { afterwards, knownCases } from './known-cases.ts'
import { mutated } from './mutations.ts'
import { type Sent, show } from './oracle.ts'
import { type Random, randomOf } from './random.ts'
import { type Reading, readConnection } from './reading.ts'

/** Where a gate listens, and what is believed of it. */
export interface Door extends Aim {
  readonly port: number
  readonly trust: SecureContext
}

/** Milliseconds of silence after which no answer is awaited any more; the second silence ends the connection. */
const quiet = 100

export const markerOf = (seed: number, connection: number, place: number): string =>
  `zz${seed}y${connection}y${place}zz`

/** One or several requests, sent at once but in pieces. */
interface Message {
  readonly pieces: readonly string[]
  readonly requests: number
}

/** So many connections of each seed begin with a case that is known by name. */
export const knownCount = knownCases({ host: '' }, '').length

/** The messages of a connection: each is answered before the next one is sent. */
export function scriptOf(seed: number, connection: number, aim: Aim): Message[] {
  const random = randomOf(seed, connection)
  if (connection < knownCount) {
    const known = knownCases(aim, markerOf(seed, connection, 0))[connection] ?? ''
    const parts = `${known}${behind(markerOf(seed, connection, 1), aim)}`.split(afterwards)
    return parts.map((text, at) => ({ pieces: inPieces(text, random), requests: at === 0 ? 2 : 0 }))
  }
  let place = 0
  return Array.from({ length: 1 + random.below(6) }, () => {
    const requests = random.oneIn(3) ? 1 + random.below(3) : 1
    const texts = Array.from({ length: requests }, () => {
      const marker = markerOf(seed, connection, place++)
      return mutated(draftRequest(random, marker, aim), random, aim, marker)
    })
    return { pieces: inPieces(texts.join(''), random), requests }
  })
}

function inPieces(text: string, random: Random): string[] {
  if (!random.oneIn(3)) return [text]
  const cuts = Array.from({ length: 1 + random.below(4) }, () => random.below(text.length + 1)).toSorted(
    (a, b) => a - b,
  )
  return [0, ...cuts].map((from, at) => text.slice(from, cuts[at] ?? text.length)).filter(piece => piece !== '')
}

interface Line {
  readonly socket: TLSSocket
  text: string
  over: boolean
  /** Resolves at the next byte, the end, or after so long. */
  news(milliseconds: number): Promise<boolean>
}

export async function openLine({ port, trust }: Door, alpn: string): Promise<Line | undefined> {
  // What costs little: this is not about the handshake.
  const cheap = { ecdhCurve: 'X25519', checkServerIdentity: () => undefined }
  const terms = { host: '127.0.0.1', servername: 'localhost', ALPNProtocols: [alpn], ...cheap }
  const half = { allowHalfOpen: true } // net.connect's, which is handed on
  const socket = connect({ ...terms, ...half, port, secureContext: trust })
  const line: Line = {
    socket,
    text: '',
    over: false,
    news: milliseconds => new Promise(resolve => wait(resolve, milliseconds)),
  }
  let wake: (() => void) | undefined
  function wait(resolve: (came: boolean) => void, milliseconds: number) {
    if (line.over) return resolve(false)
    const alarm = setTimeout(() => {
      wake = undefined
      resolve(false)
    }, milliseconds)
    wake = () => {
      wake = undefined
      clearTimeout(alarm)
      resolve(true)
    }
  }
  const over = () => {
    line.over = true
    wake?.()
  }
  socket.setNoDelay(true)
  socket.on('data', bytes => {
    line.text += bytes.toString('latin1')
    wake?.()
  })
  socket.on('error', over).on('end', over).on('close', over)
  const shaken = await new Promise<boolean>(resolve => {
    socket.once('secureConnect', () => resolve(true)).once('close', () => resolve(false))
  })
  return shaken ? line : undefined
}

interface Answer {
  readonly status: number
  readonly last: boolean
}

/** Of the answers on the line, in order: what they say, and whether they end the connection for requests. */
const answersIn = (text: string): Answer[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})[^\r]*\r\n((?:[^\r\n]+\r\n)*)\r\n/g)]
    .map(([, status, fields = '']) => ({
      status: Number(status),
      last: status === '101' || /^connection: *close/im.test(fields),
    }))
    .filter(({ status }) => status >= 200 || status === 101)

/** Plays the script; undefined when the gate did not even shake hands. */
export async function playHttp1(seed: number, connection: number, door: Door): Promise<Sent | undefined> {
  const line = await openLine(door, 'http/1.1')
  if (line === undefined) return undefined
  let sent = ''
  let readings: Reading[] = []
  let [requests, patience] = [0, 2]
  for (const message of scriptOf(seed, connection, door)) {
    requests += message.requests
    for (const [at, piece] of message.pieces.entries()) {
      if (at > 0) await new Promise(resolve => (at % 2 === 0 ? setImmediate(resolve) : setTimeout(resolve, 2)))
      if (line.over || !line.socket.writable) break
      sent += piece
      line.socket.write(piece, 'latin1')
    }
    readings = readConnection(Buffer.from(sent, 'latin1'))
    // What is still open, or cannot be read, gets no answer that could be counted on: only silence tells.
    const clear = readings.at(-1)?.complete === true && readings.at(-1)?.end === sent.length
    let silent = false
    while (!line.over && !silent && !(clear && answersIn(line.text).length >= readings.length))
      silent = !(await line.news(quiet))
    if (silent && --patience === 0) break
    if (line.over) break
  }
  line.socket.destroy()
  const answers = answersIn(line.text)
  const last = answers.findIndex(answer => answer.last)
  return {
    connection,
    requests,
    bytes: sent,
    shown: show(sent, 4_000),
    permitted: readings.map(({ method, target, body, complete, head, end }) => {
      const fields = new Set(head.rawHeaders.map(([name, value]) => `${name.toLowerCase()}: ${value}`))
      return { method, target, body, complete, fields, end }
    }),
    until: last === -1 ? Number.POSITIVE_INFINITY : last + 1,
  }
}
