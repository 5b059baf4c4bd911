/**
 * A stream that is bound: connections in through the door that HTTPS listeners have too, each served and told of once.
 *
 * New terms are for new connections; one that runs keeps those that it was let in on, until its end. Not to forget: a
 * connection here may last for a day, so whoever takes a certificate back must destroy its socket (`sockets`), and the
 * upstream half goes with it.
 */
import { randomUUID } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { StreamEvent } from '../audit/event.ts'
import type { StreamSection } from '../config/stream.ts'
import type { HolderReader } from '../identity/certificate-holders.ts'
import { asFault, causeLine } from '../kernel/fault.ts'
import { addressUrl, openDoor } from '../listener/tls-door.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { ServerTrust } from '../tls/server-context.ts'
import type { TicketSecret } from '../tls/tickets.ts'
import { type Outcome, serveConnection } from './connection.ts'

export interface StreamParts {
  /** Asked for each connection: a reload brings another one. */
  readonly readCertificate: () => HolderReader['read']
  /** Writes a decision down; rejects where one that cannot be written must not be acted on. */
  readonly record: (id: string, event: StreamEvent) => Promise<void>
  readonly metrics: Pick<Metrics, 'streams' | 'streamsEnded' | 'streamBytes' | 'faults'>
  readonly log: Log
  /** Of clients, as of those of a listener. @param entrance  `streams.NAME`: a listener may have the same name */
  readonly trouble: (entrance: string, kind: string, address: string, detail: string) => void
  /** Whether many clients come from this address. Absent: from none. */
  readonly isProxy?: (address: string) => boolean
  readonly tickets: TicketSecret
  readonly now: () => number
}

export interface BoundStream extends AsyncDisposable {
  readonly name: string
  /** `tls://127.0.0.1:2762`, one for each bound address. */
  readonly urls: readonly string[]
  /** From now on these terms; bound addresses and protocol must be as they were. */
  replace(section: StreamSection, trust: ServerTrust): void
  /** Connections whose handshake is over. */
  sockets(): Iterable<TLSSocket>
  /** Stops accepting and lets what runs finish; resolves when nothing is left, or the time is up and the rest was cut. */
  drain(milliseconds: number): Promise<void>
}

export async function listenStream(
  name: string,
  section: StreamSection,
  trust: ServerTrust,
  parts: StreamParts,
): Promise<BoundStream> {
  const { metrics, log, now } = parts
  const label = `streams.${name}`
  const running = new Set<Promise<void>>()
  let current = section

  const trouble = (kind: string, address: string, detail: string) => parts.trouble(label, kind, address, detail)

  async function serve(socket: TLSSocket, address: string): Promise<void> {
    const [id, startedAt] = [randomUUID(), now()]
    const bytes = { 'to-upstream': 0, 'to-client': 0 }
    const readCertificate = parts.readCertificate()
    let outcome: Outcome
    try {
      outcome = await serveConnection(
        { id, stream: name, section: current, socket, address },
        {
          ...{ readCertificate, record: parts.record, now },
          carried(stream, direction, count) {
            bytes[direction] += count
            metrics.streamBytes.inc({ stream, direction }, count)
          },
        },
      )
    } catch (fault) {
      socket.destroy()
      outcome = { ending: 'fault', fault }
    }
    const { ending, answer, request, denial, detail } = outcome
    if (ending === 'slow' || ending === 'malformed' || ending === 'nonsense')
      trouble(ending === 'slow' ? 'slow' : 'malformed', address, detail ?? '')
    const fault = ending === 'fault' ? tellFault(id, outcome.fault) : undefined
    metrics.streamsEnded.inc({ stream: name, ending })
    const principal = answer?.kind === 'proven' ? answer.principal : undefined
    log.info(
      {
        id,
        client: address,
        stream: name,
        calling: request?.calling,
        called: request?.called,
        toUpstream: bytes['to-upstream'],
        toClient: bytes['to-client'],
        ms: now() - startedAt,
        user: principal?.name,
        proof: principal?.proof.kind,
        denied: denial?.reason,
        fault,
        ending: ending === 'complete' ? undefined : ending,
        detail,
      },
      'stream',
    )
  }

  function tellFault(id: string, thrown: unknown): string {
    const { code } = asFault(thrown)
    const isBug = code === 'bug'
    metrics.faults.inc({ code })
    const stack = isBug && thrown instanceof Error ? { stack: thrown.stack } : {}
    log[isBug ? 'error' : 'warn']({ id, fault: code, stream: name, cause: causeLine(thrown), ...stack }, 'fault')
    return code
  }

  const door = await openDoor(section.bind, trust, {
    entrance: `stream ${name}`,
    tickets: parts.tickets,
    limits: () => current.limits,
    // RFC 7301: a client that offers other protocols only has come to the wrong port, and gets the alert for that.
    alpn: section.protocol === 'dicom' ? ['dicom'] : [],
    halfOpen: true,
    arrived(socket, { address, place }) {
      // Nothing tells a stream that waits from one that is over: none is taken from its client.
      place.begin()
      const served = serve(socket, address)
      running.add(served)
      void served.finally(() => running.delete(served))
    },
    trouble,
    isProxy: address => parts.isProxy?.(address) === true,
    isProxied: () => current.proxyProtocol === 'v2',
    connections: change => metrics.streams.inc({ stream: name }, change),
  })
  const close = async () => {
    await door[Symbol.asyncDispose]()
    await Promise.all(running)
  }
  return {
    name,
    urls: door.addresses.map(address => addressUrl('tls', address)),
    replace(next, terms) {
      current = next
      door.replace(terms)
    },
    sockets: () => door.sockets,
    async drain(milliseconds) {
      const stopped = door.stopAccepting()
      const deadline = setTimeout(() => {
        for (const socket of door.sockets) socket.destroy()
      }, milliseconds)
      await stopped
      clearTimeout(deadline)
      await Promise.all(running)
    },
    [Symbol.asyncDispose]: close,
  }
}
