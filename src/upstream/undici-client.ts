/**
 * undici as the client, to compare ours with. Nothing but tests and benchmarks opens it.
 */
import { buildConnector, Client, type Dispatcher, Pool } from 'undici'
import { Fault } from '../kernel/fault.ts'
import { sharedLookup } from '../kernel/shared-lookup.ts'
import type { HeaderList } from '../listener/exchange.ts'
import { UpstreamBody } from './body.ts'
import { addressOf, lifetime, secureConnection } from './connector.ts'
import { upstreamFault } from './failure.ts'
import { type ClientTerms, gone, type HttpClient } from './http-client.ts'
import type { UpstreamRequest, UpstreamResponse } from './upstream.ts'

/** undici's pieces are nobody else's. */
const lendForGood = () => () => undefined

/** Interim answers (1xx) to one request. */
const mostInformed = 100

/** One connection, whenever undici's pool wants one. */
function connectorOf({ section, trust, warn }: ClientTerms): buildConnector.connector {
  const plain = buildConnector({ timeout: section.timeouts.connect, allowH2: false, lookup: sharedLookup })
  return (options, done) => {
    secureConnection(section, trust, { warn }).then(
      socket => {
        if (socket !== undefined) done(null, socket)
        // An empty name: a plain connection goes to the host of the URL and to no other.
        else plain({ ...options, servername: '' }, done)
      },
      (cause: Error) => done(cause, null),
    )
  }
}

/** One place in undici's pool. Its connection is closed behind the first answer that it gives after its lifetime. */
class AgeingClient extends Client {
  readonly #now: () => number
  #born: number | undefined

  constructor(origin: URL, options: Client.Options, now: () => number) {
    super(origin, options)
    this.#now = now
    this.on('connect', () => {
      this.#born = now()
    })
    this.on('disconnect', () => {
      this.#born = undefined
    })
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    // A clock that is set back must not lengthen it.
    const isOld = this.#born !== undefined && Math.abs(this.#now() - this.#born) >= lifetime
    return super.dispatch(isOld ? { ...options, reset: true } : options, handler)
  }
}

export function openUndiciClient(terms: ClientTerms): HttpClient {
  const { name, section, trust, idleConnection, now } = terms
  const pool = new Pool(section.url.origin, {
    connections: section.connections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: idleConnection,
    keepAliveMaxTimeout: idleConnection,
    keepAliveTimeoutThreshold: 300,
    headersTimeout: section.timeouts.idle,
    bodyTimeout: section.timeouts.idle,
    maxHeaderSize: 64 * 1024,
    connectTimeout: section.timeouts.connect,
    factory: (origin, options: Client.Options) => new AgeingClient(origin, options, now),
    connect: connectorOf(terms),
  })
  // Said with every request, because undici would take it from the Host that a client sends, and connect anew.
  const expected = trust?.name ?? addressOf(section).host

  return {
    send: (request: UpstreamRequest, ended: () => void) =>
      new Promise<UpstreamResponse>((resolve, reject) => {
        let answer: UpstreamBody | undefined
        let informed = 0
        let control: Dispatcher.DispatchController | undefined
        const leave = () => {
          control?.abort(gone(request.signal))
          // undici has not begun: the handler below turns it away when it does.
          if (control === undefined) reject(gone(request.signal))
        }
        request.signal.addEventListener('abort', leave, { once: true })
        const done = () => {
          request.signal.removeEventListener('abort', leave)
          if (answer !== undefined) ended()
        }
        // `servername` is read by undici's client, though its types do not say so.
        const call: Dispatcher.DispatchOptions & { servername: string } = {
          method: request.method,
          path: request.target,
          headers: [...request.headers.flat(), ...(request.id === undefined ? [] : ['x-request-id', request.id])],
          body: request.body ?? null,
          servername: expected,
        }
        pool.dispatch(call, {
          onRequestStart(controller) {
            control = controller
            if (request.signal.aborted) controller.abort(gone(request.signal))
          },
          onResponseStart(controller, status) {
            if (status < 200) {
              // Informational; nothing that a client was promised. Each would put off every time limit.
              if (++informed > mostInformed)
                controller.abort(new Fault('upstream-broken', { about: `${name}, interim answers without end` }))
              return
            }
            const headers = headerList(controller.rawHeaders)
            const framed = headers.some(([header]) => header === 'content-length' || header === 'transfer-encoding')
            answer = new UpstreamBody(controller)
            resolve({
              status,
              headers,
              closeDelimited: !framed && status !== 204 && status !== 304 && request.method !== 'HEAD',
              body: answer,
            })
          },
          onResponseData(controller, chunk) {
            if (answer?.receive(chunk, lendForGood) === false) controller.pause()
          },
          onResponseEnd() {
            done()
            answer?.finish()
          },
          onResponseError(_controller, error) {
            done()
            if (answer === undefined) reject(error)
            else
              answer.break(
                request.signal.aborted ? gone(request.signal) : upstreamFault(error, `${name}, while answering`),
              )
          },
        })
      }),
    [Symbol.asyncDispose]: () => pool.destroy(),
  }
}

/** undici hands raw headers out as buffers for HTTP/1.1; bytes are kept as they are. */
function headerList(raw: Dispatcher.DispatchController['rawHeaders']): HeaderList {
  if (!Array.isArray(raw)) return []
  const list: [string, string][] = []
  for (let at = 0; at + 1 < raw.length; at += 2) list.push([text(raw[at]).toLowerCase(), text(raw[at + 1])])
  return list
}

const text = (value: Buffer | string | undefined): string =>
  typeof value === 'string' ? value : (value?.toString('latin1') ?? '')
