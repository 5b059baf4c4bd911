/**
 * What a request may change behind the gate, as far as its path tells. In doubt it is everything.
 */
import type { HttpUpstreamSection } from '../config/upstream.ts'
import { operationOf } from '../policy/operation.ts'
import type { UpstreamRequest } from '../upstream/upstream.ts'

export type Change = 'nothing' | 'everything' | { readonly study: string }

const uid = '[0-9.]{1,64}'
/**
 * A study, or a part of it, and nothing behind: what is done by another name may reach further (dcm4chee takes out of other
 * studies what it moves into this one). Orthanc's own IDs are written otherwise.
 */
const ofStudy = new RegExp(`^(?:/(?!studies/)[^/]*)*/studies/(${uid})(?:/series/${uid}(?:/instances/${uid})?)?/?$`)

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
