/**
 * What a request may change behind the gate, as far as its path tells. In doubt it is everything.
 */
import type { HttpUpstreamSection } from '../config/upstream.ts'
import { operationOf } from '../policy/operation.ts'
import type { UpstreamRequest } from '../upstream/upstream.ts'

export type Change = 'nothing' | 'everything' | { readonly study: string }

/** A UID of DICOM, at most 64 characters: Orthanc's own IDs are written otherwise. */
const ofStudy = /\/studies\/([0-9.]{1,64})(?:\/|$)/

export function changeOf(
  kind: HttpUpstreamSection['kind'],
  { method, target }: Pick<UpstreamRequest, 'method' | 'target'>,
): Change {
  const [path = ''] = target.split('?', 1)
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return 'nothing'
  // Searches by POST.
  if (kind === 'orthanc' && operationOf(kind, method, path).needs === 'read') return 'nothing'
  const study = ofStudy.exec(path)?.[1]
  return study === undefined ? 'everything' : { study }
}
