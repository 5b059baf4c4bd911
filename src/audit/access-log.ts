/**
 * One access line for each exchange, when it has ended, and the metrics that go with it.
 *
 * A client that leaves is quiet: viewers cancel their prefetches by the hundred.
 */
import { memo } from '../kernel/memo.ts'
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

const quoted = memo(text => JSON.stringify(text), 64)
const field = (name: string, value: string | number | undefined): string =>
  value === undefined ? '' : `,"${name}":${typeof value === 'number' ? value : quoted(value)}`

/** pino looks at each field as if it had never seen one: a tenth of a small request. */
const asText = (entry: Entry): string =>
  `"id":"${entry.id}"${field('client', entry.client)}${field('protocol', entry.protocol)}${field('method', entry.method)}` +
  `${entry.path === undefined ? '' : `,"path":${JSON.stringify(entry.path)}`}${field('route', entry.route)}` +
  `${field('upstream', entry.upstream)}${field('status', entry.status)}${field('bytes', entry.bytes)}` +
  `${field('ms', entry.ms)}${field('user', entry.user)}${field('proof', entry.proof)}${field('denied', entry.denied)}` +
  `${field('fault', entry.fault)}${field('cache', entry.cache)}${field('ending', entry.ending)}`

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
        metrics.exchangeSeconds.observe({ route: label }, milliseconds / 1000)
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
          ms: milliseconds,
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
