/**
 * The servers of one upstream: which of them is next, which are out, and when one is back.
 *
 * The one with the least to do is next. One that cannot be reached or proves to be another is out at once, one that breaks off or
 * answers with an error when it does not answer a question well; and it is asked again and again until it does. When all are out
 * they are tried all the same: an archive that nobody tries is of no use to anybody. A single server is never out, and never asked
 * by itself.
 */
import { createHash } from 'node:crypto'
import { every } from '../kernel/every.ts'
import type { Health } from './health.ts'
import type { Server } from './server.ts'

/** Milliseconds between two looks at whom to ask. */
const look = 500
/** Milliseconds between two questions to a server that is out, and to one that works. */
const [whileOut, whileIn] = [2_000, 10_000]

export interface ServerState extends Pick<Server, 'number' | 'isOut'> {
  readonly health: Health
}

export interface Servers extends AsyncDisposable {
  readonly all: readonly Server[]
  /** Some are not out; else all count. */
  readonly inService: number
  /** What runs at one that is out, while another one is not: it may hang for long, and takes no turn from anybody. */
  left(server: Server): number
  /**
   * @param wanted  the number of a server that has the client's session
   * @param client  without it: who always gets the same while all is well
   */
  choose(tried: ReadonlySet<Server>, wanted?: number, client?: string): Server | undefined
  putOut(server: Server, why: string): void
  /** A request broke off: it is asked at once, since the reason may be the request and nothing else. */
  suspect(server: Server): void
  answered(server: Server): void
  /** It answered with an error, which may be one of that request: it is asked, once a second at most. */
  erred(server: Server): void
  readonly health: Health
  readonly states: readonly ServerState[]
  /** Asks all of them; whether one answered. */
  probe(): Promise<boolean>
}

/**
 * @param say      for the log: who is out, and who is back
 * @param changed  told when there are more or fewer in service
 */
export function createServers(all: readonly Server[], say: (text: string) => void, changed: () => void): Servers {
  const several = all.length > 1
  const asked = new Map<Server, { at: number; silent: boolean; asking: boolean }>()
  /** Whether any of them has ever answered it well: else an error in answer to it says nothing. */
  let isGoodQuestion = false
  /** Of those with equally much to do, each is next in turn. */
  let last = 0

  function putOut(server: Server, why: string) {
    if (!several || server.isOut) return
    server.isOut = true
    server.record.failed()
    asked.set(server, { at: performance.now() - whileOut / 2, silent: false, asking: false })
    say(`server ${server.number} of ${all.length} (${server.section.url.origin}) is out: ${why}`)
    changed()
  }
  function answered(server: Server) {
    if (!server.isOut) return
    server.isOut = false
    say(`server ${server.number} of ${all.length} (${server.section.url.origin}) is back`)
    changed()
  }
  const leastOf = (servers: readonly Server[]): Server | undefined => {
    let found: Server | undefined
    for (let step = 1; step <= all.length; step++) {
      const server = all[(last + step) % all.length]
      if (server === undefined || !servers.includes(server)) continue
      if (found === undefined || server.running < found.running) found = server
    }
    if (found !== undefined) last = found.number - 1
    return found
  }

  async function ask(server: Server) {
    const before = asked.get(server)
    const note = { at: performance.now(), silent: before?.silent ?? false, asking: true }
    asked.set(server, note)
    const said = await server.probe()
    note.asking = false
    isGoodQuestion ||= said === 'answers'
    if (said === 'answers' || (said === 'errs' && !isGoodQuestion)) {
      note.silent = false
      return answered(server)
    }
    // A server at work may have no thread left for the question. Twice in a row, with no other answer: it hangs.
    const answeredOthers = server.answeredAt > (before?.at ?? note.at)
    if (said === 'errs') putOut(server, 'it answers with an error when it is asked')
    else if (said === 'fails' || (note.silent && !answeredOthers)) putOut(server, 'it does not answer when it is asked')
    note.silent = said !== 'errs' && !answeredOthers
  }
  const looks = several
    ? every(look, () => {
        const now = performance.now()
        for (const server of all) {
          const note = asked.get(server)
          if (note === undefined) asked.set(server, { at: now, silent: false, asking: false })
          else if (!note.asking && now - note.at >= (server.isOut ? whileOut : whileIn)) void ask(server)
        }
      })
    : undefined

  return {
    all,
    get inService() {
      let count = 0
      for (const { isOut } of all) if (!isOut) count++
      return count === 0 ? all.length : count
    },
    left: ({ isOut, running }) => (isOut && all.some(other => !other.isOut) ? running : 0),
    choose(tried, wanted, client) {
      if (!several) return tried.size > 0 ? undefined : all[0]
      const left = all.filter(server => !tried.has(server))
      const inService = left.filter(({ isOut }) => !isOut)
      const from = inService.length > 0 ? inService : left
      const known = from.find(({ number }) => number === wanted)
      if (known !== undefined) return known
      return client === undefined ? leastOf(from) : firstFor(client, from)
    },
    putOut,
    suspect(server) {
      if (several && !server.isOut && asked.get(server)?.asking !== true) void ask(server)
    },
    answered,
    erred(server) {
      const note = asked.get(server)
      const isNew = note === undefined || (!note.asking && performance.now() - note.at >= 1_000)
      if (several && !server.isOut && isNew) void ask(server)
    },
    get health(): Health {
      const states = all.map(({ record }) => record.health)
      const of = (state: Health['state']) => states.filter(health => health.state === state)
      const up = of('up')
      if (up.length > 0) return { state: 'up', since: Math.min(...up.map(({ since }) => since)) }
      const down = of('down')
      const state = down.length === all.length ? 'down' : 'unknown'
      return { state, since: Math.max(...states.map(({ since }) => since)) }
    },
    get states() {
      return all.map(({ number, isOut, record: { health } }) => ({ number, isOut, health }))
    },
    async probe() {
      const said = await Promise.all(
        all.map(async server => {
          const outcome = await server.probe()
          isGoodQuestion ||= outcome === 'answers'
          if (outcome === 'answers') answered(server)
          return outcome
        }),
      )
      return said.some(outcome => outcome === 'answers' || outcome === 'errs')
    },
    async [Symbol.asyncDispose]() {
      looks?.[Symbol.dispose]()
      await Promise.all(all.map(server => server[Symbol.asyncDispose]()))
    },
  }
}

/** When one goes, only those who had it move, and to different ones (rendezvous hashing, Thaler and Ravishankar 1998). */
function firstFor(client: string, from: readonly Server[]): Server | undefined {
  const weightOf = ({ section }: Server) =>
    createHash('sha256').update(`${section.url.origin}\n${client}`).digest().readUInt32BE()
  let found: readonly [number, Server] | undefined
  for (const server of from) {
    const weight = weightOf(server)
    if (found === undefined || weight > found[0]) found = [weight, server]
  }
  return found?.[1]
}
