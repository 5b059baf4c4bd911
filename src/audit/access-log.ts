/**
 * One access line for each exchange, when it has ended, and the metrics that go with it.
 *
 * A client that leaves is quiet: viewers cancel their prefetches by the hundred.
 */
import type { Exchange } from '../listener/exchange.ts'
import type { Decision } from '../policy/decide.ts'
import type { Route } from '../route/route.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'

/** What an exchange turned out to be; whoever learns it writes it down. */
export class ExchangeFacts {
  client: string | undefined
  path: string | undefined
  route: Route | undefined
  decision: Decision | undefined
  /** Code of the fault that it ended in. */
  fault: string | undefined
  /** How the cache of frames took it, where there is one. */
  cache: 'hit' | 'miss' | 'past' | undefined
}

/** What stands in the line, in this order; what is undefined is left out. */
interface Entry {
  readonly id: string
  readonly client: string
  readonly protocol: string
  readonly method: string
  readonly path: string | undefined
  readonly route: string | undefined
  readonly upstream: string | undefined
  readonly status: number | undefined
  readonly bytes: number
  readonly ms: number
  readonly user: string | undefined
  readonly proof: string | undefined
  readonly denied: string | undefined
  readonly fault: string | undefined
  readonly cache: string | undefined
  readonly ending: string | undefined
}

type Value = string | number | undefined

/** Three fields whose values come again and again, as they stand in the line. */
function three(...names: readonly [string, string, string]) {
  const most = 1_000
  let kept = 0
  const texts = new Map<Value, Map<Value, Map<Value, string>>>()
  const branch = <Key, Next>(from: Map<Key, Next>, key: Key, make: () => Next): Next => {
    const next = from.get(key) ?? make()
    from.set(key, next)
    return next
  }
  return (one: Value, two: Value, last: Value): string => {
    const known = texts.get(one)?.get(two)?.get(last)
    if (known !== undefined) return known
    const values = [one, two, last]
    const text = names
      .map((name, at) => (values[at] === undefined ? '' : `,"${name}":${JSON.stringify(values[at])}`))
      .join('')
    // They come from outside.
    if (text.length > 300) return text
    if (kept++ >= most) {
      texts.clear()
      kept = 1
    }
    branch(
      branch(texts, one, () => new Map()),
      two,
      () => new Map(),
    ).set(last, text)
    return text
  }
}
const who = three('client', 'protocol', 'method')
const where = three('route', 'upstream', 'status')
const person = three('user', 'proof', 'denied')
const odd = three('fault', 'cache', 'ending')

/** As pino would write it, which looks at each field as if it had never seen one. The fewer pieces, the less to collect. */
function asText(entry: Entry): string {
  const { id, path, bytes, ms } = entry
  const asked = path === undefined ? '' : `,"path":${JSON.stringify(path)}`
  const begin = `"id":"${id}"${who(entry.client, entry.protocol, entry.method)}${asked}`
  const end = `${person(entry.user, entry.proof, entry.denied)}${odd(entry.fault, entry.cache, entry.ending)}`
  return `${begin}${where(entry.route, entry.upstream, entry.status)},"bytes":${bytes},"ms":${ms}${end}`
}

export interface AccessLog {
  open(exchange: Exchange): void
  /** Of an exchange that was opened. */
  factsOf(exchange: Exchange): ExchangeFacts
}

/** On the exchange itself: a WeakMap of what comes and goes thousands of times a second costs more than all lines. */
const noted = Symbol('noted')
interface Noted extends Exchange {
  [noted]?: ExchangeFacts
}

export function createAccessLog(log: Log, metrics: Metrics, now: () => number): AccessLog {
  return {
    open(exchange: Noted) {
      const { listener } = exchange.connection
      metrics.inFlight.add(1, listener)
      const facts = new ExchangeFacts()
      exchange[noted] = facts
      exchange.finished.tell(ending => {
        const { client, path, route, decision, fault, cache } = facts
        const label = route?.label ?? 'none'
        const { status, bytes } = exchange.reply
        const milliseconds = now() - exchange.startedAt
        metrics.inFlight.add(-1, listener)
        metrics.exchanges.add(1, listener, label, status ?? 0, ending)
        metrics.exchangeSeconds.observe(label, milliseconds / 1000)
        metrics.sentBytes.add(bytes, label)
        const principal = decision?.principal
        const entry: Entry = {
          id: exchange.id,
          client: client ?? exchange.connection.address,
          protocol: exchange.connection.protocol,
          method: exchange.request.method,
          path,
          route: route?.label,
          upstream: route?.upstream,
          status,
          bytes,
          // Finer is noise, and seventeen digits of it.
          ms: Math.round(milliseconds * 1000) / 1000,
          user: principal?.name,
          proof: principal?.proof.kind,
          denied: decision?.outcome === 'deny' ? decision.reason : undefined,
          fault,
          cache,
          ending: ending === 'complete' ? undefined : ending,
        }
        if (log.infoText === undefined) log.info(entry, 'exchange')
        else log.infoText(asText(entry), 'exchange')
      })
    },
    factsOf(exchange: Noted) {
      exchange[noted] ??= new ExchangeFacts()
      return exchange[noted]
    },
  }
}
