/**
 * The doors that a person may open: routes, asked of policy itself, put into words by what stands behind them.
 *
 * Nothing here decides: a door that is listed is judged again when it is opened. A route that is for programs (a
 * DICOMweb prefix) is an address, not a door.
 */
import type { UpstreamKind } from '../config/upstream.ts'
import { proven } from '../identity/answer.ts'
import type { Principal } from '../identity/principal.ts'
import { decide } from '../policy/decide.ts'
import { operationOf } from '../policy/operation.ts'
import { type Route, upstreamPath } from '../route/route.ts'

export interface Door {
  readonly title: string
  readonly href: string
  readonly description: string
  /** 'page' for people; 'address' for programs. */
  readonly kind: 'page' | 'address'
}

interface Wording {
  readonly title: string
  readonly description: string
}

const words: Record<UpstreamKind, Wording> = {
  ohif: { title: 'Image viewer', description: 'Look at studies in the browser (OHIF).' },
  orthanc: { title: 'Orthanc', description: 'The image archive: patients, studies, uploads.' },
  'omero-web': { title: 'OMERO.web', description: 'Microscopy images. It asks for a login of its own.' },
  generic: { title: '', description: '' },
}

/** @param authority  of this request: routes of another host keep its port */
export function doorsOf(routes: readonly Route[], principal: Principal, authority: string): Door[] {
  const open = routes.filter(route => {
    const operation = operationOf(route.kind, 'GET', upstreamPath(route, route.path))
    return decide(route, operation, proven(principal)).outcome === 'permit'
  })
  const titles = open.map(route => words[route.kind].title || route.upstream)
  return open.map((route, at): Door => {
    const title = titles[at] ?? route.upstream
    const twice = titles.indexOf(title) !== titles.lastIndexOf(title)
    const address = isAddress(route)
    return {
      title: address ? `${route.upstream} (DICOMweb and REST)` : twice ? `${title}: ${route.upstream}` : title,
      href: hrefOf(route, authority),
      description: words[route.kind].description || `Leads to ${route.upstream}.`,
      kind: address ? 'address' : 'page',
    }
  })
}

/** Orthanc has pages at its root only; behind any other prefix that is not stripped, programs are at home. */
const isAddress = ({ kind, strip, path }: Route): boolean => kind === 'orthanc' && !strip && path !== '/'

function hrefOf({ host, path, strip }: Route, authority: string): string {
  const local = path === '/' || !strip ? path : `${path}/`
  if (host === undefined) return local
  const port = /:\d+$/.exec(authority)?.[0] ?? ''
  return `https://${host}${port}${local}`
}
