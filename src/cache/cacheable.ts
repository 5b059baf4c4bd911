/**
 * Which requests may be answered from the cache, under which key, and what is asked to fill it.
 *
 * Immutable is what a SOP Instance UID names for good: pixels, waveforms, documents. Archives correct everything else
 * without a new UID, the patient's name first of all: whole instances, metadata, and pictures with a name burnt in.
 * What fills the cache is asked in nobody's name, and with no header of a client but those that stand in the key: there is
 * nothing to poison it with. Source: DICOM PS3.18 10.4.1 (frames, rendered, thumbnail, bulk data), PS3.5 9; Orthanc REST
 * API and orthanc-dicomweb 1.7; web cache poisoning by unkeyed headers: portswigger.net/research.
 */
import type { HttpUpstreamSection } from '../config/upstream.ts'
import { type Header, type HeaderList, headerValues } from '../listener/exchange.ts'
import { queryNames } from '../route/canonical-path.ts'
import type { UpstreamRequest } from '../upstream/upstream.ts'

export interface Cacheable {
  readonly key: string
  /** Study Instance UID; undefined: the path does not name it. */
  readonly study: string | undefined
  /** What is asked to fill the entry. */
  readonly headers: HeaderList
  /** X-Request-Id of who was first. */
  readonly id: string | undefined
  /** The client wants it fresh: what is there is no answer. */
  readonly anew: boolean
  /** Validators that the client has. */
  readonly ifNoneMatch: string | undefined
}

const uid = '[0-9.]{1,64}'
/** Of bulk data: float, double and plain pixels, documents, overlays, waveforms, spectra. Others may be corrected. */
const bulkTag = '(?:7fe000(?:08|09|10)|00420011|60[0-9a-f]{2}3000|5400(?:0110|0112|100a|1010)|56000020)'
const dicomWeb = new RegExp(
  `/studies/(${uid})/series/${uid}/instances/${uid}/(?:frames/[0-9]{1,9}(?:,[0-9]{1,9})*(?:/rendered|/thumbnail)?|rendered|thumbnail|bulk(?:data)?/(?:[0-9a-f]{8}/[0-9]{1,9}/)*${bulkTag})$`,
  'i',
)
/** `/instances/ID/…` of Orthanc's own API; its ID is the digest of the UIDs. */
const orthancRest =
  /\/instances\/(?:[0-9a-f]{8}-){4}[0-9a-f]{8}\/(?:frames\/[0-9]{1,9}\/)?(?:raw|preview|rendered|image-u?int(?:8|16))$/

/** Never passed on by what fills an entry, and no reason to go past: they say who asks, how and from where. */
const meaningless = new Set([
  'user-agent',
  'accept-encoding',
  'accept-language',
  'referer',
  'origin',
  'dnt',
  'priority',
  'save-data',
  'cache-control',
  'pragma',
  'if-none-match',
  'if-modified-since',
  'upgrade-insecure-requests',
  'x-requested-with',
  'traceparent',
  'tracestate',
  'x-forwarded-for',
  'x-remote-user',
  'x-remote-groups',
  'x-remote-proof',
])
/** Of the gateway itself, the same for everybody who has the same key. */
const ours = new Set(['host', 'accept', 'x-forwarded-proto', 'x-forwarded-host'])

/** Whether a path is one whose answers may be kept. @param path  canonical, as the upstream sees it */
export function studyOf(kind: HttpUpstreamSection['kind'], path: string): { study: string | undefined } | undefined {
  const found = dicomWeb.exec(path)
  if (found !== null) return { study: found[1] }
  return kind === 'orthanc' && orthancRest.test(path) ? { study: undefined } : undefined
}

/** Cookies that say nothing to a server: all to an Orthanc, which knows none, and to others the language of OHIF. */
const isMeaningless = (cookie: string, kind: HttpUpstreamSection['kind']): boolean =>
  kind === 'orthanc' || cookie.split(';').every(one => one.trim().startsWith('i18next='))

/** The headers that fill an entry; undefined: one of them may mean another answer, or a person. */
function fillHeaders({ headers }: UpstreamRequest, section: HttpUpstreamSection): HeaderList | undefined {
  const added = new Set(Object.keys(section.headers).map(name => name.toLowerCase()))
  const kept: Header[] = []
  for (const header of headers) {
    const [name, value] = header
    // A password that a client brings is refused beside a cache (config): this one is the gateway's own.
    if (ours.has(name) || added.has(name) || (name === 'authorization' && section.credentials !== undefined))
      kept.push(header)
    else if (name === 'forwarded') kept.push([name, value.replace(/^for=[^;]*;/, '')])
    else if (name === 'cookie' && isMeaningless(value, section.kind)) continue
    else if (!meaningless.has(name) && !name.startsWith('sec-')) return undefined
  }
  return kept
}

/** Undefined: the request goes past the cache. */
export function cacheableOf(request: UpstreamRequest, section: HttpUpstreamSection): Cacheable | undefined {
  if (request.method !== 'GET' || request.body !== undefined) return undefined
  const { target } = request
  const mark = target.indexOf('?')
  const found = studyOf(section.kind, mark === -1 ? target : target.slice(0, mark))
  if (found === undefined) return undefined
  // Names and dates in the corner of a picture are corrected without a new UID.
  if (mark !== -1 && queryNames(target.slice(mark + 1)).some(name => /annotation/i.test(name))) return undefined
  const headers = fillHeaders(request, section)
  if (headers === undefined) return undefined
  const of = (name: string) => headerValues(request.headers, name).join(', ')
  return {
    // No line end can stand in any of them. Each line of Accept by itself: servers differ in how they join them.
    key: [target, of('host'), ...headerValues(request.headers, 'accept')].join('\n'),
    study: found.study,
    headers,
    id: request.id,
    anew: /\bno-(?:cache|store)\b/i.test(of('cache-control')),
    ifNoneMatch: headerValues(request.headers, 'if-none-match').join(', ') || undefined,
  }
}
