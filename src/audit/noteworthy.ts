/**
 * Which permits and denials are worth an audit line, and which were told a moment ago. Never a line for each frame.
 */
import type { Principal } from '../identity/principal.ts'
import type { Denial, Permit } from '../policy/decide.ts'
import type { CanonicalTarget } from '../route/canonical-path.ts'
import type { AuditEvent, Where, Who } from './event.ts'

const studyWindow = 60 * 60_000
/** The same denial of the same caller is told once in this time, so that a robot cannot fill the disk. */
const denialWindow = 60_000
const remembered = 50_000

export const whoOf = ({ name, realm, proof }: Principal): Who => ({ name, realm, proof: proof.kind })

/** The study that a request is about: DICOMweb and Orthanc name it in the path, WADO-URI in the query. */
export function studyOf({ path, query }: CanonicalTarget): string | undefined {
  const inPath = /\/studies\/([A-Za-z0-9.-]{3,64})(?=\/|$)/.exec(path)?.[1]
  return inPath ?? (query === undefined ? undefined : (new URLSearchParams(query).get('studyUID') ?? undefined))
}

/** Remembers when something was told; the oldest is forgotten first. */
function createMemory(window: number, now: () => number) {
  const told = new Map<string, number>()
  return (key: string): boolean => {
    const at = told.get(key)
    if (at !== undefined && now() - at < window) return false
    told.delete(key)
    told.set(key, now())
    const oldest = told.size > remembered ? told.keys().next().value : undefined
    if (oldest !== undefined) told.delete(oldest)
    return true
  }
}

export interface Noteworthy {
  ofPermit(permit: Permit, target: CanonicalTarget, address: string): AuditEvent | undefined
  ofDenial(denial: Denial, where: Where, address: string): AuditEvent | undefined
  /** A certificate that was turned down, once for each connection-making client within the window. */
  ofCertificate(reason: string, detail: string, address: string): AuditEvent | undefined
}

export function createNoteworthy(now: () => number): Noteworthy {
  const isNewStudy = createMemory(studyWindow, now)
  const isNewDenial = createMemory(denialWindow, now)
  return {
    ofPermit({ route, operation, principal }, target, address) {
      const where = { method: operation.method, path: target.path, route: route.label }
      const who = principal === undefined ? {} : { who: whoOf(principal) }
      if (operation.method === 'DELETE') return { kind: 'deletion', ...who, address, where }
      if (operation.needs !== 'read') return { kind: 'change', ...who, address, where }
      const study = studyOf(target)
      if (study === undefined || route.kind === 'ohif' || !isNewStudy(`${principal?.realm}\n${principal?.name ?? address}\n${study}`)) return undefined
      return { kind: 'study', ...who, study, address, where }
    },
    ofDenial({ reason, detail, principal, refusal }, where, address) {
      const name = principal?.name ?? refusal?.claimed ?? ''
      if (!isNewDenial(`${address}\n${reason}\n${name}\n${where.route}`)) return undefined
      const said = detail ?? refusal?.detail
      return {
        kind: 'denial',
        ...(principal === undefined ? {} : { who: whoOf(principal) }),
        ...(refusal?.claimed === undefined ? {} : { claimed: refusal.claimed.slice(0, 256) }),
        reason,
        ...(said === undefined ? {} : { detail: said }),
        address,
        where,
      }
    },
    ofCertificate(reason, detail, address) {
      return isNewDenial(`${address}\n${reason}\ncertificate`) ? { kind: 'certificate-refused', reason, detail, address } : undefined
    },
  }
}
