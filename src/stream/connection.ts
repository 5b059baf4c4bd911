/**
 * The life of a connection on a stream, on one page:
 *
 *   identify -> (DICOM: read the A-ASSOCIATE-RQ) -> decide -> record -> connect -> splice
 *                                                         \-> refuse (A-ASSOCIATE-RJ, or the end of TLS)
 *
 * No byte reaches the upstream before the decision was recorded. Raw protocols are connected at once: an Ice server
 * speaks first. Who shows no certificate that holds is not listened to: the connection ends before its first byte.
 *
 * Source: DICOM PS3.8 9.2, 9.3.4; ZeroC Ice protocol (ValidateConnection).
 */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { StreamEvent } from '../audit/event.ts'
import type { StreamSection } from '../config/stream.ts'
import type { Answer } from '../identity/answer.ts'
import type { HolderReader } from '../identity/certificate-holders.ts'
import { asFault, Fault } from '../kernel/fault.ts'
import { decideStream, type StreamDenial, type StreamPermit } from '../policy/decide.ts'
import { type AssociateRequest, readAssociateRequest } from './association.ts'
import { connectUpstream, keepAliveAfter } from './connect.ts'
import { readFirstPdu } from './first-pdu.ts'
import { watchAssociation } from './pdu-watch.ts'
import { aborts, type Rejection, rejections } from './refusal-pdu.ts'
import { type SpliceEnding, type SpliceTerms, splice } from './splice.ts'
import { foreignTitle } from './titles.ts'

export interface Arrival {
  readonly id: string
  readonly stream: string
  readonly section: StreamSection
  readonly socket: TLSSocket
  readonly address: string
}

export interface ConnectionParts {
  readonly readCertificate: HolderReader['read']
  /** Rejects where a decision that cannot be recorded must not be acted on. */
  readonly record: (id: string, event: StreamEvent) => Promise<void>
  readonly carried: SpliceTerms['carried']
  readonly now: () => number
}

/** How it ended, for log and metrics. */
export interface Outcome {
  readonly ending: SpliceEnding | 'denied' | 'slow' | 'malformed' | 'fault'
  readonly answer?: Answer
  readonly request?: AssociateRequest
  readonly denial?: StreamDenial
  readonly detail?: string
  /** What broke; never what a client did wrong. */
  readonly fault?: unknown
}

/** Resolves when both sides are closed, or the client has been told its last words. */
export async function serveConnection(arrival: Arrival, parts: ConnectionParts): Promise<Outcome> {
  const { section, socket, stream } = arrival
  const answer = await orFault(async () => parts.readCertificate(socket, parts.now()))
  if (answer instanceof Fault) {
    // Nobody could be asked who this is: not a denial, and a modality may try again.
    const first = section.protocol === 'dicom' ? await readFirstPdu(socket, section.limits.associate) : undefined
    farewell(socket, first?.kind === 'request' ? rejections.later : undefined)
    return { ending: 'fault', fault: answer }
  }
  const target = { stream, access: section.access, required: section.clients.certificate === 'required', answer }
  socket.setKeepAlive(true, keepAliveAfter)
  if (section.protocol === 'raw') return serve({ ...arrival, ...parts }, answer, decideStream(target))

  const held = answer.kind === 'proven' || (answer.kind === 'absent' && !target.required)
  if (!held) return serve({ ...arrival, ...parts }, answer, decideStream(target))
  const first = await readFirstPdu(socket, section.limits.associate)
  if (first.kind === 'gone') {
    // It has said its last byte, and this half is ours to close: else its place would be taken for ever.
    farewell(socket)
    return { ending: 'client-gone', answer }
  }
  if (first.kind === 'silent') {
    farewell(socket)
    return { ending: 'slow', answer, detail: 'no A-ASSOCIATE-RQ came' }
  }
  if (first.kind === 'foreign') {
    farewell(socket, aborts[first.abort])
    await recordNonsense(arrival, parts, answer, first.detail)
    return { ending: 'malformed', answer, detail: first.detail }
  }
  const request = readAssociateRequest(first.pdu)
  if ('problem' in request) {
    const { problem, detail } = request
    farewell(socket, problem === 'malformed' ? aborts['invalid-value'] : rejections[problem])
    await recordNonsense(arrival, parts, answer, detail)
    return { ending: 'malformed', answer, detail }
  }
  const { titles } = section
  const foreign = titles && foreignTitle(titles, socket.getPeerX509Certificate(), request.calling)
  const decision = decideStream({ ...target, ...(foreign === undefined ? {} : { foreignTitle: foreign }) })
  return serve({ ...arrival, ...parts }, answer, decision, { request, pdu: first.pdu })
}

async function orFault<T>(work: () => Promise<T>): Promise<T | Fault> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown
    throw thrown
  }
}

/** Nonsense of somebody who proved who it is: a modality that is broken, or one that is played with. */
async function recordNonsense(
  { id, stream, address }: Arrival,
  { record }: ConnectionParts,
  answer: Answer,
  detail: string,
): Promise<void> {
  if (answer.kind !== 'proven') return
  const { principal } = answer
  const denial = { outcome: 'deny', reason: 'not-an-association', principal, detail } as const
  // It has been turned away already: a line that cannot be written has raised its alarm.
  await record(id, eventOf(stream, address, denial, undefined)).catch((fault: unknown) => {
    if (!(fault instanceof Fault)) throw fault
  })
}

interface Opening {
  readonly request: AssociateRequest
  readonly pdu: Buffer
}

async function serve(
  { id, stream, section, socket, address, record, carried }: Arrival & ConnectionParts,
  answer: Answer,
  decision: StreamPermit | StreamDenial,
  opening?: Opening,
): Promise<Outcome> {
  const known = { answer, ...(opening === undefined ? {} : { request: opening.request }) }
  const reject = (why: Rejection) => farewell(socket, opening === undefined ? undefined : rejections[why])
  let upstream: Socket
  try {
    await record(id, eventOf(stream, address, decision, opening?.request))
    if (decision.outcome === 'deny') {
      reject(decision.reason === 'title-not-allowed' ? 'calling-title' : 'no-reason')
      return { ending: 'denied', denial: decision, ...known }
    }
    if (socket.destroyed) return { ending: 'client-gone', ...known }
    upstream = await whileOpen(socket, signal =>
      connectUpstream(decision, section.upstream, { milliseconds: section.limits.connect, signal }),
    )
  } catch (thrown) {
    if (socket.destroyed) return { ending: 'client-gone', ...known }
    // Refused before anything began: a modality may try again, and says so to its people.
    reject('later')
    const fault = asFault(thrown)
    return { ending: 'fault', fault: fault.code === 'bug' ? thrown : fault, ...known }
  }
  if (opening !== undefined) {
    carried(stream, 'to-upstream', opening.pdu.length)
    upstream.write(opening.pdu)
  }
  const watch = opening === undefined ? undefined : watchAssociation(opening.request.maximumLength)
  const spliced = await splice({
    ...{ permit: decision, client: socket, upstream, idle: section.limits.idle, carried },
    ...(watch === undefined ? {} : { fromClient: watch.fromRequestor, fromUpstream: watch.fromAcceptor }),
  })
  return { ...spliced, ...known }
}

const eventOf = (
  stream: string,
  address: string,
  decision: StreamPermit | StreamDenial,
  request: AssociateRequest | undefined,
): StreamEvent => {
  const { principal } = decision
  const facts = {
    ...(principal === undefined
      ? {}
      : { who: { name: principal.name, realm: principal.realm, proof: principal.proof.kind } }),
    ...{ address, stream },
    ...(request === undefined ? {} : { calling: request.calling, called: request.called }),
  }
  if (decision.outcome === 'permit') return { kind: 'stream', ...facts }
  const { reason, detail } = decision
  return { kind: 'stream-denial', ...facts, reason, ...(detail === undefined ? {} : { detail }) }
}

/** Runs `work` with a signal that falls when the client goes before the work is done. */
async function whileOpen<T>(socket: TLSSocket, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const gone = () => controller.abort()
  socket.once('close', gone)
  try {
    return await work(controller.signal)
  } finally {
    socket.off('close', gone)
  }
}

/** Milliseconds that a client has to read the last words and to hang up: the ARTIM timer of a refused association. */
const artim = 2_000

/**
 * The end of a connection that is not carried: a PDU that says why, after which a DICOM node hangs up itself, or else
 * close_notify, the one TLS alert that Node can send once the handshake is over (nodejs/node has no other call; its
 * verification takes every certificate, so that OpenSSL finds nothing to complain of).
 */
function farewell(socket: TLSSocket, pdu?: Buffer): void {
  const cutting = setTimeout(() => socket.destroy(), artim)
  socket.once('close', () => clearTimeout(cutting))
  socket.once('end', () => socket.end())
  socket.on('data', () => undefined)
  socket.resume()
  if (pdu !== undefined) socket.write(pdu)
  if (pdu === undefined || socket.readableEnded) socket.end()
}
