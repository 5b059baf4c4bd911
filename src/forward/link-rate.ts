/**
 * How fast a client takes its answers, told from those that wait for it.
 *
 * Ten times in a second it is looked at what went out on each connection while something on it was waiting to go out: that
 * is what the link carries, whatever the upstream does. Where nothing waits the link is no bottleneck, and nothing is known
 * of it. Costs one timer, and nothing for each byte.
 */
import type { Connection, Exchange } from '../listener/exchange.ts'

export interface LinkRates {
  /** @param waits  whether bytes of this answer wait for the client now */
  watch(exchange: Exchange, waits: () => boolean): void
  /** Bytes in a second. Undefined: never seen to be what was waited for, or not for a while. */
  rateOf(connection: Connection): number | undefined
}

/** Milliseconds. */
const step = 100
/** A rate is told after so much waiting. Milliseconds. */
const enough = 300
/** Bytes that went out with nobody waiting: the link has become fast. */
const forgottenAfter = 4 * 1024 ** 2

interface Watched {
  readonly waits: () => boolean
  readonly bytes: () => number
  seen: number
  waited: boolean
}

interface Link {
  rate: number | undefined
  readonly bodies: Set<Watched>
  /** Of the time in which something waited. */
  moved: number
  milliseconds: number
  /** Bytes since something waited last. */
  freely: number
}

export function createLinkRates(now: () => number = () => performance.now()): LinkRates {
  const links = new WeakMap<object, Link>()
  const busy = new Set<Link>()
  let timer: NodeJS.Timeout | undefined
  let lastLook = 0

  const look = () => {
    const milliseconds = now() - lastLook
    lastLook = now()
    for (const link of busy) lookAt(link, milliseconds)
    if (busy.size > 0) return
    clearInterval(timer)
    timer = undefined
  }

  return {
    watch(exchange, waits) {
      const { socket } = exchange.connection
      const link = links.get(socket) ?? { rate: undefined, bodies: new Set(), moved: 0, milliseconds: 0, freely: 0 }
      links.set(socket, link)
      const body: Watched = { waits, bytes: () => exchange.reply.bytes, seen: exchange.reply.bytes, waited: false }
      link.bodies.add(body)
      busy.add(link)
      if (timer === undefined) {
        lastLook = now()
        timer = setInterval(look, step).unref()
      }
      exchange.finished.tell(() => {
        count(link, body)
        link.bodies.delete(body)
        if (link.bodies.size === 0) busy.delete(link)
      })
    },
    rateOf: ({ socket }) => links.get(socket)?.rate,
  }
}

/** What went out of one body since it was looked at last. */
function count(link: Link, body: Watched): void {
  const moved = body.bytes() - body.seen
  body.seen += moved
  if (body.waited) link.moved += moved
  else link.freely += moved
  if (link.freely > forgottenAfter) link.rate = undefined
}

function lookAt(link: Link, milliseconds: number): void {
  let waited = false
  for (const body of link.bodies) {
    const waits = body.waits()
    // Whoever waited at both looks waited in between.
    waited ||= waits && body.waited
    count(link, body)
    body.waited = waits
  }
  if (waited) {
    link.milliseconds += milliseconds
    link.freely = 0
  }
  if (link.milliseconds >= enough && (link.moved > 0 || link.milliseconds >= 10 * enough)) {
    const rate = (link.moved / link.milliseconds) * 1_000
    link.rate = link.rate === undefined ? rate : (link.rate + rate) / 2
    link.moved = 0
    link.milliseconds = 0
  }
}
