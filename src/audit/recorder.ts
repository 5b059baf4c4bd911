/**
 * Writes a decision into the audit trail before it is acted on; counts denials.
 *
 * Awaited only where the site chose to refuse what cannot be recorded: else care goes on and the alarm is raised.
 */
import type { Identity } from '../identity/authenticator.ts'
import type { Decision } from '../policy/decide.ts'
import type { CanonicalTarget } from '../route/canonical-path.ts'
import type { Route } from '../route/route.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { AuditLog } from './audit-log.ts'
import type { AuditEvent, StreamEvent } from './event.ts'
import type { Noteworthy } from './noteworthy.ts'

export interface Recorded {
  readonly id: string
  readonly method: string
  readonly target: CanonicalTarget
  /** Address of the client. */
  readonly client: string
  readonly route: Route | undefined
  /** Undefined: a page of our own, which anybody may see. */
  readonly decision: Decision | undefined
  readonly identity: Identity
}

export interface RecorderParts {
  readonly audit: Pick<AuditLog, 'record'>
  readonly noteworthy: Noteworthy
  readonly metrics: Pick<Metrics, 'denials'>
  readonly onFailure: 'continue' | 'refuse'
}

/** Writes events; whoever asks for the same while its line is being written waits for that line. */
function createWriter({ audit, noteworthy }: Pick<RecorderParts, 'audit' | 'noteworthy'>) {
  const pending = new Map<AuditEvent, Promise<void>>()
  async function write(id: string, event: AuditEvent): Promise<void> {
    let isWritten = false
    noteworthy.writing(event)
    try {
      isWritten = await audit.record(id, event)
    } finally {
      pending.delete(event)
      // What was not written has not been told: asking again must not be a way past it.
      if (isWritten) noteworthy.written(event)
      else noteworthy.forget(event)
    }
  }
  return (id: string, event: AuditEvent): Promise<void> => {
    const known = pending.get(event)
    if (known !== undefined) return known
    const started = write(id, event)
    pending.set(event, started)
    return started
  }
}

/** What it gives is undefined where nobody has to wait, and a promise where the site wants the line to be there first. */
export function createRecorder(parts: RecorderParts): (recorded: Recorded) => Promise<void> | undefined {
  const { noteworthy, metrics, onFailure } = parts
  const once = createWriter(parts)

  return ({ id, method, target, client, route, decision, identity }) => {
    const { certificateAnswer: certificate } = identity
    if (decision?.outcome === 'deny') metrics.denials.inc({ reason: decision.reason })
    const refused =
      certificate.kind === 'refused'
        ? noteworthy.ofCertificate(certificate.reason, certificate.detail, client)
        : undefined
    const decided = decision && eventOf(decision)
    if (refused === undefined && decided === undefined) return undefined
    const written = Promise.all([refused, decided].map(event => event && once(id, event)))
    // With `continue` a failed line never rejects; the alarm has been raised where it failed.
    return onFailure === 'refuse' ? written.then(() => undefined) : undefined

    function eventOf(made: Decision) {
      if (made.outcome === 'permit') return noteworthy.ofPermit(made, target, client)
      return noteworthy.ofDenial(made, { method, path: target.path, route: route?.label ?? '' }, client)
    }
  }
}

/** The same for connections on streams, which are decided once. */
export function createStreamRecorder(parts: RecorderParts): (id: string, event: StreamEvent) => Promise<void> {
  const { noteworthy, metrics, onFailure } = parts
  const once = createWriter(parts)
  return async (id, event) => {
    if (event.kind === 'stream-denial') metrics.denials.inc({ reason: event.reason })
    const told = noteworthy.ofStream(event)
    const written = told === undefined ? undefined : once(id, told)
    if (onFailure === 'refuse') await written
  }
}
