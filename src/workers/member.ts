/**
 * One worker, as the primary sees it: a process that begins, is ready, and ends some day.
 */
import cluster from 'node:cluster'
import type { Readable } from 'node:stream'
import { type Answers, type Channel, type Listening, type OfPrimary, type OfWorker, openChannel } from './channel.ts'
import { closeUntaken } from './hand-over.ts'
import type { Seat } from './share.ts'

/** The seat of a worker, for the process that it is: `2/4`. */
export const seatVariable = 'SALLYPORT_WORKER'
/** How its log lines look: it cannot see where they go. */
export const formatVariable = 'SALLYPORT_WORKER_LOG'

export interface Ending {
  readonly code: number | null
  readonly signal: string | null
  /** Milliseconds from its start. */
  readonly after: number
}

export interface Member {
  readonly seat: Seat
  readonly pid: number | undefined
  readonly channel: Channel<OfWorker>
  /** It listens; rejects with what it could not do, or with StartDeath when it has ended without a word. */
  readonly ready: Promise<readonly Listening[]>
  /** It has ended, or has said that it will. */
  readonly gone: Promise<Ending | 'leaving'>
  readonly ended: Promise<Ending>
  kill(): void
}

/** A process that ended before it listened, and said nothing. */
export class StartDeath extends Error {
  constructor({ code, signal }: Ending) {
    super(`it ended before it listened (${signal ?? `exit code ${code}`})`)
  }
}

export interface MemberParts {
  readonly seat: Seat
  readonly format: 'json' | 'pretty'
  /** Its lines, whole ones. */
  readonly tell: (lines: string) => void
  readonly answers: Pick<Answers<OfPrimary>, 'begin' | 'record'>
  /** For all but itself. */
  readonly news: (from: Member, item: OfPrimary['news'][0]) => Promise<void>
}

export function startMember({ seat, format, tell, answers, news }: MemberParts): Member {
  const startedAt = performance.now()
  const worker = cluster.fork({ [seatVariable]: `${seat.number}/${seat.of}`, [formatVariable]: format })
  const child = worker.process
  closeUntaken(child)
  if (child.stderr !== null) passLines(child.stderr, tell)

  const ready = Promise.withResolvers<readonly Listening[]>()
  const gone = Promise.withResolvers<Ending | 'leaving'>()
  const ended = Promise.withResolvers<Ending>()
  const channel = openChannel<OfWorker, OfPrimary>(
    {
      send: (message, failed) => {
        if (child.connected) child.send(message, error => error !== null && failed())
        else failed()
      },
      on: listener => void worker.on('message', listener),
    },
    {
      ...answers,
      async ready(listening) {
        ready.resolve(listening)
        return null
      },
      async failed({ message, ...facts }) {
        ready.reject(Object.assign(new Error(message), facts))
        return null
      },
      async news(item) {
        await news(member, item)
        return null
      },
      async leaving() {
        gone.resolve('leaving')
        return null
      },
    },
  )
  ready.promise.catch(() => undefined) // whoever waits for it is told
  child.on('error', () => undefined) // a process that cannot be made, or reached: it ends, which is told
  const end = (code: number | null, signal: string | null) => {
    const ending = { code, signal, after: performance.now() - startedAt }
    channel.close()
    ready.reject(new StartDeath(ending))
    gone.resolve(ending)
    ended.resolve(ending)
  }
  // 'close' comes behind its last line; 'exit' alone where there was no process.
  child.once('close', end)
  child.once('error', () => child.pid === undefined && end(null, null))
  const member: Member = {
    seat,
    pid: child.pid,
    channel,
    ready: ready.promise,
    gone: gone.promise,
    ended: ended.promise,
    kill: () => void child.kill('SIGKILL'),
  }
  return member
}

/** So that lines of several processes never run into each other. */
function passLines(stream: Readable, tell: (lines: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    const end = text.lastIndexOf('\n') + 1
    if (end === 0) {
      rest += text
      return
    }
    tell(rest + text.slice(0, end))
    rest = text.slice(end)
  })
  stream.once('end', () => {
    if (rest !== '') tell(`${rest}\n`)
  })
}
