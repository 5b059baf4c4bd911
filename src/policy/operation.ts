/**
 * What a request would do, as far as rules can tell: read, write, anything else, and whether it is dangerous.
 *
 * For Orthanc this is a table over the path that Orthanc sees. Dangerous is what can run code, stop the server, reach
 * other servers, or export; it holds for every method, since Orthanc honours method overrides and plugins differ.
 * Source: Orthanc REST API; Orthanc Book, "Securing Orthanc"; orthanc-dicomweb.
 */
import type { UpstreamKind } from '../config/upstream.ts'
import { withoutParameters } from '../route/canonical-path.ts'

export interface Operation {
  /** In capitals; HEAD is judged as GET. */
  readonly method: string
  /** The least word of a rule that allows it. */
  readonly needs: 'read' | 'write' | 'everything'
  readonly dangerous: boolean
}

/** First segments under which everything reaches other servers, exports, or hands files out and in past the rules. */
const dangerousRoots = new Set([
  'peers',
  'modalities',
  'queries',
  'exports',
  'transfers',
  'webdav',
  'storage-commitment',
  'auth', // share links of the authorization plugin: a way past these rules
])
const dangerousTools = new Set(['execute-script', 'reset', 'shutdown', 'dicom-echo'])
/** Settings of the whole server: anybody may read them. */
const serverSettings = new Set([
  'accepted-transfer-syntaxes',
  'unknown-sop-class-accepted',
  'default-encoding',
  'metrics',
])
/** POST that only asks. */
const askingTools = new Set(['find', 'lookup', 'count-resources'])

function isDangerous(segments: readonly string[], method: string): boolean {
  const [first = '', second = ''] = segments
  if (dangerousRoots.has(first)) return true
  if (first === 'tools' && (dangerousTools.has(second) || second.startsWith('log-level'))) return true
  const changes = method !== 'GET' && method !== 'OPTIONS'
  if (first === 'tools' && changes && serverSettings.has(second)) return true
  // Plugins that take orders read files of the server (advanced-storage) or run what they like.
  if (first === 'plugins' && changes) return true
  // Cancel, pause, resume, resubmit, fetch the output; asking for the state of a job is reading.
  if (first === 'jobs' && (segments.length > 2 || changes)) return true
  return segments.includes('servers') || segments.includes('export')
}

/** @param exact  the path has no slash at its end and no parameters: only then is it the very path of the table */
function orthancNeeds(segments: readonly string[], method: string, exact: boolean): Operation['needs'] {
  if (method === 'GET' || method === 'OPTIONS') return 'read'
  if (method !== 'POST' || !exact) return 'everything'
  const [first, second] = segments
  if (first === 'tools' && segments.length === 2 && askingTools.has(second ?? '')) return 'read'
  if (first === 'instances' && segments.length === 1) return 'write'
  // STOW-RS: to the whole archive, or to one study.
  if (first === 'dicom-web' && second === 'studies' && segments.length <= 3) return 'write'
  return 'everything'
}

const genericNeeds: Record<string, Operation['needs']> = {
  GET: 'read',
  OPTIONS: 'read',
  POST: 'write',
  PUT: 'write',
  PATCH: 'write',
}

/** @param path  canonical, as the upstream sees it */
export function operationOf(kind: UpstreamKind, method: string, path: string): Operation {
  const asked = method === 'HEAD' ? 'GET' : method
  if (kind !== 'orthanc') return { method: asked, needs: genericNeeds[asked] ?? 'everything', dangerous: false }
  const plain = withoutParameters(path)
  // Decoding cannot fail here: the path is canonical.
  const segments = plain
    .split('/')
    .filter(segment => segment !== '')
    .map(decodeURIComponent)
  const exact = plain === path && !path.endsWith('/')
  return { method: asked, needs: orthancNeeds(segments, asked, exact), dangerous: isDangerous(segments, asked) }
}
