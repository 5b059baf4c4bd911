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

/** A field of texts that come again and again, as it stands in the line. */
const field = (name: string) => {
  const made = memo(text => `,"${name}":${JSON.stringify(text)}`, 64)
  return (text: string | undefined): string => (text === undefined ? '' : made(text))
}
const fields = {
  client: field('client'),
  protocol: field('protocol'),
  method: field('method'),
  route: field('route'),
  upstream: field('upstream'),
  user: field('user'),
  proof: field('proof'),
  denied: field('denied'),
  fault: field('fault'),
  cache: field('cache'),
  ending: field('ending'),
}

/** pino looks at each field as if it had never seen one: a tenth of a small request. */
function asText(entry: Entry): string {
  const path = entry.path === undefined ? '' : `,"path":${JSON.stringify(entry.path)}`
  const status = entry.status === undefined ? '' : `,"status":${entry.status}`
  const who = `"id":"${entry.id}"${fields.client(entry.client)}${fields.protocol(entry.protocol)}${fields.method(entry.method)}`
  const where = `${path}${fields.route(entry.route)}${fields.upstream(entry.upstream)}`
  const what = `${status},"bytes":${entry.bytes},"ms":${entry.ms}${fields.user(entry.user)}${fields.proof(entry.proof)}`
  const odd = `${fields.denied(entry.denied)}${fields.fault(entry.fault)}${fields.cache(entry.cache)}${fields.ending(entry.ending)}`
  return `${who}${where}${what}${odd}`
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
