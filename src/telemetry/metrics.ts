/**
 * Every metric of the product: name, unit and labels, in this one list. Labels never hold a person, path or address.
 */
import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from 'prom-client'
import { createHistogram } from './histogram.ts'
import { createTally, type Tally } from './tally.ts'

const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

export function createMetrics() {
  const registry = new Registry()
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name, help, labelNames, registers })
  /** @param aggregator  what the number of several processes is (workers/merged-metrics.ts) */
  const gauge = <L extends string>(name: string, help: string, labelNames: L[], aggregator: 'sum' | 'min' = 'sum') =>
    new Gauge({ name, help, labelNames, registers, aggregator })
  /** @param labelNames  in the order in which `add` takes their values */
  const tallied = <Values extends readonly (string | number)[]>(
    Kind: typeof Counter | typeof Gauge,
    ...[name, help, labelNames]: [string, string, { [At in keyof Values]: string }]
  ): Pick<Tally<Values>, 'add'> => {
    const tally = createTally<Values>()
    const names: readonly string[] = labelNames
    const metric = new Kind({
      ...{ name, help, registers, labelNames: [...names] },
      collect: () =>
        tally.empty((amount, values) =>
          metric.inc(Object.fromEntries(names.map((one, at) => [one, values[at] ?? ''])), amount),
        ),
    })
    return tally
  }
  collectDefaultMetrics({ register: registry })
  const exchangeSeconds = createHistogram({
    name: 'sallyport_exchange_seconds',
    help: 'From the request head to the last byte of the answer',
    label: 'route',
    bounds: seconds,
  })
  registry.registerMetric(exchangeSeconds.metric)
  return {
    registry,
    exchanges: tallied<[listener: string, route: string, status: number, ending: string]>(
      Counter,
      'sallyport_exchanges_total',
      'HTTP exchanges that ended',
      ['listener', 'route', 'status', 'ending'],
    ),
    exchangeSeconds,
    inFlight: tallied<[listener: string]>(Gauge, 'sallyport_exchanges_in_flight', 'HTTP exchanges running now', [
      'listener',
    ]),
    sentBytes: tallied<[route: string]>(Counter, 'sallyport_sent_bytes_total', 'Body bytes sent to clients', ['route']),
    connections: gauge('sallyport_connections', 'TLS connections open now', ['listener']),
    tunnels: gauge('sallyport_tunnels', 'WebSockets open now', ['route']),
    streams: gauge('sallyport_stream_connections', 'TLS connections open now on a stream', ['stream']),
    streamsEnded: counter('sallyport_streams_total', 'Connections on a stream that ended', ['stream', 'ending']),
    streamBytes: counter('sallyport_stream_bytes_total', 'Bytes that a stream carried', ['stream', 'direction']),
    denials: counter('sallyport_denials_total', 'Decisions against a request', ['reason']),
    faults: counter('sallyport_faults_total', 'Requests that ended in a fault', ['code']),
    trouble: counter(
      'sallyport_client_trouble_total',
      'Failed handshakes, bytes that were no request, clients that were too slow, floods, connections without room, proxies that announce nobody',
      ['listener', 'kind'],
    ),
    logins: counter('sallyport_logins_total', 'Attempts to sign in on the login page', ['outcome']),
    cacheAnswers: counter(
      'sallyport_cache_answers_total',
      'Requests to an upstream with a cache: answered from it (hit), after asking the upstream (miss), or without it (past)',
      ['upstream', 'how'],
    ),
    cacheFills: counter('sallyport_cache_fills_total', 'Frames that a cache asked for', ['upstream', 'outcome']),
    cacheBytes: gauge('sallyport_cache_bytes', 'Bytes that a cache takes', ['upstream', 'place']),
    upstreamUp: gauge(
      'sallyport_upstream_up',
      '1 when the upstream answered last time, 0 when it did not',
      ['upstream'],
      'min',
    ),
    serverInService: gauge(
      'sallyport_upstream_server_in_service',
      '1 while one of several servers of an upstream gets requests, 0 while it is out; by its place in the configuration',
      ['upstream', 'server'],
      'min',
    ),
    certificateExpiry: gauge(
      'sallyport_certificate_expiry_seconds',
      'Seconds until a certificate of ours expires',
      ['listener'],
      'min',
    ),
    revocationListExpiry: gauge(
      'sallyport_revocation_list_expiry_seconds',
      'Seconds until the first revocation list of an entrance ends; 0 when one is missing',
      ['listener'],
      'min',
    ),
    reloads: counter('sallyport_reloads_total', 'Reloads of the configuration', ['outcome']),
    configurationCurrent: gauge(
      'sallyport_configuration_current',
      '1 while the last reload was taken, 0 when it was refused and an older state runs',
      [],
    ),
    stateUp: gauge(
      'sallyport_state_up',
      '1 while the state can be read and written, 0 while its Redis is away or refuses to write, or its file cannot be written',
      [],
      'min',
    ),
    workers: gauge('sallyport_workers', 'Workers that serve now; 0 where one process does everything', []),
    workerDeaths: counter('sallyport_worker_deaths_total', 'Workers that ended unasked, and were replaced', []),
    auditFailures: counter('sallyport_audit_failures_total', 'Audit events that could not be written', []),
  } as const
}

/** One metric with its values, as prom-client gives it as JSON. */
export type Measured = Awaited<ReturnType<Metric['get']>>

export type Metrics = ReturnType<typeof createMetrics>
