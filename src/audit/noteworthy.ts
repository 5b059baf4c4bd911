/**
 * Which permits and denials are worth an audit line, and which were told a moment ago. Never a line for each frame.
 */
import type { Principal } from '../identity/principal.ts'
import type { Denial, Permit } from '../policy/decide.ts'
import type { CanonicalTarget } from '../route/canonical-path.ts'
import type { AuditEvent, StreamEvent, Where, Who } from './event.ts'

const studyWindow = 60 * 60_000
/** The same denial of the same caller is told once in this time, so that a robot cannot fill the disk. */
const denialWindow = 60_000
const remembered = 50_000
/** Denials of one address that are told within a minute, each; what comes on top is counted in the next line. */
const denialsOfAddress = 100
/** Paths are told up to this length: 64 KB of it would be a way to fill the disk. */
const longestPath = 512

export const whoOf = ({ name, realm, proof }: Principal): Who => ({ name, realm, proof: proof.kind })

/**
 * What a read is about: the study, which DICOMweb and Orthanc name in the path and WADO-URI in the query; else the patient,
 * series or instance that Orthanc names alone.
 */
export function studyOf({ path, query }: CanonicalTarget): string | undefined {
  const [, level, id] = /\/(studies|patients|series|instances)\/([A-Za-z0-9.-]{3,64})(?=\/|$)/.exec(path) ?? []
  if (id !== undefined) return level === 'studies' ? id : `${level}/${id}`
  if (query === undefined) return undefined
  const asked = new URLSearchParams(query)
  for (const name of ['studyUID', 'seriesUID', 'objectUID']) {
    // Two of one name: which of them the archive takes is its own affair, so both are told.
    const named = asked.getAll(name).join(' ').slice(0, 256)
    if (named !== '') return name === 'studyUID' ? named : `${name} ${named}`
  }
  return undefined
}

/** Remembers when something was told; the oldest is forgotten first. */
export function createMemory(window: number, now: () => number) {
  const told = new Map<string, number>()
  return {
    isNew(key: string): boolean {
      const at = told.get(key)
      if (at !== undefined && now() - at < window) return false
      told.delete(key)
      told.set(key, now())
      const oldest = told.size > remembered ? told.keys().next().value : undefined
      if (oldest !== undefined) told.delete(oldest)
      return true
    },
    forget: (key: string) => told.delete(key),
  }
}

/** Counts what each address has been told for, and what was left out since. */
function createAllowance(now: () => number) {
  const counts = new Map<string, { since: number; told: number; left: number }>()
  return (address: string): { readonly leftOut: number } | undefined => {
    const known = counts.get(address)
    if (known === undefined || now() - known.since >= denialWindow) {
      counts.delete(address)
      counts.set(address, { since: now(), told: 1, left: 0 })
      const oldest = counts.size > remembered ? counts.keys().next().value : undefined
      if (oldest !== undefined) counts.delete(oldest)
      return { leftOut: known?.left ?? 0 }
    }
    if (known.told >= denialsOfAddress) {
      known.left++
      return undefined
    }
    known.told++
    return { leftOut: 0 }
  }
}

export interface Noteworthy {
  ofPermit(permit: Permit, target: CanonicalTarget, address: string): AuditEvent | undefined
  ofDenial(denial: Denial, where: Where, address: string): AuditEvent | undefined
  /** Each connection of somebody; of nobody, and of who is turned down, as many as of requests. */
  ofStream(event: StreamEvent): AuditEvent | undefined
  /** A certificate that was turned down, once for each connection-making client within the window. */
  ofCertificate(reason: string, detail: string, address: string): AuditEvent | undefined
  /** A sign-in that failed; those that the throttle turned away are told like denials. */
  ofRefusedLogin(event: Extract<AuditEvent, { kind: 'login-refused' }>): AuditEvent | undefined
  /** It is being written: until `forget` or `written`, whoever asks for the same gets this very event, and waits for it. */
  writing(event: AuditEvent): void
  written(event: AuditEvent): void
  /** The line could not be written: the next one of its kind is told again. */
  forget(event: AuditEvent): void
}

export function createNoteworthy(now: () => number): Noteworthy {
  const studies = createMemory(studyWindow, now)
  const denials = createMemory(denialWindow, now)
  const allowance = createAllowance(now)
  const openings = createAllowance(now)
  const undo = new WeakMap<AuditEvent, () => void>()
  const keys = new WeakMap<AuditEvent, string>()
  const underWay = new Map<string, AuditEvent>()

  /** The event, if its key is new, with the way to forget that it was told. */
  function once(memory: typeof studies, key: string, event: AuditEvent): AuditEvent | undefined {
    if (!memory.isNew(key)) return underWay.get(key)
    undo.set(event, () => memory.forget(key))
    keys.set(event, key)
    return event
  }
  /** A denial: the same once in its window, and of one address no more than its allowance. */
  function countedOnce(key: string, event: Extract<AuditEvent, { kind: 'denial' | 'stream-denial' }>) {
    const told = once(denials, key, event)
    if (told !== event) return told
    const allowed = allowance(event.address)
    if (allowed === undefined || allowed.leftOut === 0) return allowed === undefined ? undefined : event
    const counted: AuditEvent = { ...event, leftOut: allowed.leftOut }
    const back = undo.get(event)
    if (back !== undefined) undo.set(counted, back)
    keys.set(counted, key)
    return counted
  }
  function written(event: AuditEvent): void {
    const key = keys.get(event)
    if (key !== undefined && underWay.get(key) === event) underWay.delete(key)
  }
  const brief = (where: Where): Where => ({ ...where, path: where.path.slice(0, longestPath) })

  return {
    ofPermit({ route, operation, principal }, target, address) {
      const isReading = operation.method !== 'DELETE' && operation.needs === 'read'
      const study = isReading && route.kind !== 'ohif' ? studyOf(target) : undefined
      if (isReading && study === undefined) return undefined
      const where = brief({ method: operation.method, path: target.path, route: route.label })
      const who = principal === undefined ? {} : { who: whoOf(principal) }
      if (study === undefined)
        return { kind: operation.method === 'DELETE' ? 'deletion' : 'change', ...who, address, where }
      const key = `${principal?.realm}\n${principal?.name ?? address}\n${study}`
      return once(studies, key, { kind: 'study', ...who, study, address, where })
    },
    ofDenial({ reason, detail, principal, refusal }, where, address) {
      // Names that were only claimed are free to make up: once the throttle speaks, they tell nothing more.
      const name = principal?.name ?? (reason === 'throttled' ? '' : (refusal?.claimed ?? ''))
      const said = detail ?? refusal?.detail
      const event: AuditEvent = {
        kind: 'denial',
        ...(principal === undefined ? {} : { who: whoOf(principal) }),
        ...(refusal?.claimed === undefined ? {} : { claimed: refusal.claimed.slice(0, 256) }),
        reason,
        ...(said === undefined ? {} : { detail: said }),
        address,
        where: brief(where),
      }
      return countedOnce(`${address}\n${reason}\n${name}\n${where.route}`, event)
    },
    ofStream(event) {
      const { kind, who, address, stream, calling } = event
      if (kind === 'stream-denial')
        return countedOnce(`${address}\n${event.reason}\n${who?.name}\n${stream}\n${calling}`, event)
      if (who !== undefined) return event
      const allowed = openings(address)
      if (allowed === undefined) return undefined
      return allowed.leftOut === 0 ? event : { ...event, leftOut: allowed.leftOut }
    },
    ofCertificate(reason, detail, address) {
      return once(denials, `${address}\n${reason}\ncertificate`, {
        kind: 'certificate-refused',
        reason,
        detail,
        address,
      })
    },
    ofRefusedLogin(event) {
      return event.reason === 'throttled' ? once(denials, `${event.address}\nthrottled\nlogin`, event) : event
    },
    writing(event) {
      const key = keys.get(event)
      if (key !== undefined) underWay.set(key, event)
    },
    written,
    forget(event) {
      written(event)
      undo.get(event)?.()
    },
  }
}
