/**
 * Sends the corpus of a seed to a gate, round by round, and counts what the oracle finds.
 *
 * A finding names its seed and connection: `scriptOf` makes the same bytes again. Not to forget: nothing is judged before
 * the upstream has been silent for a while and the gate has written its log.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { within } from '../../behaviour/app.ts'
import type { Received } from '../../fixture/received.ts'
import { type Malformed, startUpstream, type Upstream } from '../../fixture/upstream.ts'
import { type Answer, reply } from '../../fixture/upstream-answers.ts'
import { acceptKey } from '../../fixture/websocket-echo.ts'
import type { Gate } from './gates.ts'
import { openLine, playHttp1 } from './http1-connection.ts'
import { playHttp2 } from './http2-connection.ts'
import { type Authorised, type Finding, judge, type Kind, kinds, type Sent } from './oracle.ts'

export interface Witness {
  readonly upstream: Upstream
  readonly tunnels: Map<string, string>
  /** Forgets what came so far. */
  clear(): void
}

/** An upstream that answers all there is, and switches protocols where the query says so. */
export async function startWitness(t: Pick<Test, 'teardown'>): Promise<Witness> {
  const tunnels = new Map<string, string>()
  const switching: Answer = async line => {
    const { target, header } = line.request
    const accept = `Sec-WebSocket-Accept: ${acceptKey(header('sec-websocket-key') ?? '')}`
    await line.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${accept}\r\n\r\n`,
    )
    line.takeOver(bytes => void tunnels.set(target, (tunnels.get(target) ?? '') + bytes.toString('latin1')))
    await line.gone
  }
  const ok = reply({ body: 'upstream' })
  const upstream = await startUpstream(t, request =>
    request.target.endsWith('?switch') && request.header('upgrade')?.toLowerCase() === 'websocket' ? switching : ok,
  )
  return {
    upstream,
    tunnels,
    clear() {
      // A hundred thousand requests would not fit: the fixture's own lists are emptied.
      ;(upstream.received as Received[]).length = 0
      ;(upstream.malformed as Malformed[]).length = 0
      tunnels.clear()
    },
  }
}

export interface Corpus {
  readonly seed: number
  readonly http1: number
  readonly http2: number
}

export interface Tally {
  readonly gate: Gate['name']
  connections: number
  requests: number
  /** That could be read, and so may arrive. */
  readable: number
  arrived: number
  readonly counts: Record<Kind, number>
  /** The first of each kind, with the bytes that led to it. */
  readonly examples: string[]
}

const together = 64
const perRound = 1_000
const examplesOfAKind = 3

export async function fuzz(gate: Gate, witness: Witness, corpora: readonly Corpus[]): Promise<Tally> {
  const counts = Object.fromEntries(Object.keys(kinds).map(kind => [kind, 0])) as Record<Kind, number> // its keys are those of `kinds`
  const tally: Tally = { gate: gate.name, connections: 0, requests: 0, readable: 0, arrived: 0, counts, examples: [] }
  for (const { seed, http1, http2 } of corpora) {
    const plays = [
      ...Array.from({ length: http1 }, (_, at) => () => playHttp1(seed, at, gate)),
      ...(gate.http2 ? Array.from({ length: http2 }, (_, at) => () => playHttp2(seed, http1 + at, gate)) : []),
    ]
    for (let from = 0; from < plays.length; from += perRound)
      await playRound(gate, witness, tally, seed, plays.slice(from, from + perRound))
  }
  return tally
}

async function playRound(
  gate: Gate,
  witness: Witness,
  tally: Tally,
  seed: number,
  plays: readonly (() => Promise<Sent | undefined>)[],
): Promise<void> {
  const { upstream, tunnels } = witness
  const sent: Sent[] = []
  const left = plays.values()
  const walk = async () => {
    for (const play of left) {
      let outcome = await play()
      // A gate that has crashed is started again meanwhile.
      for (let tries = 0; outcome === undefined && tries < 20; tries++) {
        await pause(100)
        outcome = await play()
      }
      if (outcome !== undefined) sent.push(outcome)
    }
  }
  await Promise.all(Array.from({ length: together }, walk))

  const judged = new Map<string, Authorised>()
  let before = -1
  await within(gate.tells, () => {
    for (const [id, said] of gate.judged()) judged.set(id, said)
    const silent = upstream.received.length === before
    before = upstream.received.length
    return silent && upstream.received.every(request => judged.has(request.header('x-request-id') ?? ''))
  })
  const findings = judge(sent, { ...upstream, tunnels }, judged, gate.samePath)
  for (const fault of await gate.faults()) findings.push({ kind: 'fault', about: fault, connection: undefined })
  if (!(await answersWell(gate)))
    findings.push({ kind: 'fault', about: 'a good request got no 200', connection: undefined })
  tally.connections += sent.length
  tally.requests += sent.reduce((sum, { requests }) => sum + requests, 0)
  tally.readable += sent.reduce((sum, { permitted }) => sum + permitted.length, 0)
  tally.arrived += upstream.received.length
  for (const finding of findings) note(tally, seed, sent, finding)
  witness.clear()
}

function note(tally: Tally, seed: number, sent: readonly Sent[], { kind, about, connection }: Finding): void {
  if (tally.counts[kind]++ >= examplesOfAKind) return
  const from = sent.find(one => one.connection === connection)?.shown ?? 'nobody knows what'
  tally.examples.push(
    `${kind} (${kinds[kind]}): ${tally.gate}, seed ${seed}, connection ${connection}\n  saw ${about}\n  sent ${from}`,
  )
}

/** The next client, on a connection of its own, is served. */
async function answersWell(gate: Gate): Promise<boolean> {
  const line = await openLine(gate, 'http/1.1')
  if (line === undefined) return false
  line.socket.write(`GET /well HTTP/1.1\r\nHost: ${gate.host}\r\nConnection: close\r\n\r\n`)
  while (!line.over) if (!(await line.news(3_000))) break
  line.socket.destroy()
  // Its arrival belongs to no round.
  await pause(5)
  return line.text.startsWith('HTTP/1.1 200 ')
}

/** The counts, one line for each gate. */
export function tableOf(tallies: readonly Tally[]): string {
  const columns = Object.keys(kinds) as Kind[] // its keys are those of `kinds`
  const rows = tallies.map(({ gate, connections, requests, readable, arrived, counts }) =>
    [gate, connections, requests, readable, arrived, ...columns.map(kind => counts[kind])].join(' | '),
  )
  const heads = ['gate', 'connections', 'requests', 'readable', 'arrived', ...columns]
  return [heads.join(' | '), heads.map(() => '---').join(' | '), ...rows].map(row => `| ${row} |`).join('\n')
}
