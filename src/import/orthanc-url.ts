/**
 * The address of a peer as the origin that an upstream wants, and what is lost on the way.
 *
 * Orthanc takes any text without "://" as it is, and curl reads that as http. What stands before an @ may be a password
 * and is never repeated. Source: OrthancFramework Sources/WebServiceParameters.cpp (SetUrl).
 */
import type { Place, Tell } from './decision.ts'

/** @returns scheme, host and port; undefined when it is no address, which has been told */
export function calledUrl(written: string, place: Place, tell: Tell): string | undefined {
  const bare = !written.includes('://')
  const text = bare ? `http://${written}` : written
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === '' || /[\s\p{Cc}]/u.test(written)) {
    tell('problem', place, 'has an address that is none: http://host:port/ or https://host:port/')
    return undefined
  }
  if (bare) tell('note', place, 'has an address without http:// or https://, which Orthanc takes for http')
  if (url.username !== '' || url.password !== '')
    tell('decide', place, 'has a user or password inside its address, which is not copied; write credentials')
  if (url.search !== '' || url.hash !== '')
    tell('decide', place, 'has an address with ? or #, which no upstream can have; that part is left out')
  const path = url.pathname.replace(/\/+$/, '')
  if (path !== '')
    tell('decide', place, `is reached under ${JSON.stringify(path)}: give its route the same path, without strip`)
  return url.origin
}
