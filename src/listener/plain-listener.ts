/**
 * The plain listener: sends people to https, and does nothing else.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { PlainListener } from '../config/listener.ts'
import { originForm, parseAuthority } from './authority.ts'
import type { Bound } from './secure-listener.ts'

export interface RedirectTarget {
  /** Origin that people type, if the listener says so. */
  readonly publicOrigin: string | undefined
  /** Port of the listener with TLS. */
  readonly port: number
}

/** Where a plain request is sent. @returns undefined when it names no clear place */
export function redirectLocation(host: string | undefined, url: string, { publicOrigin, port }: RedirectTarget): string | undefined {
  const authority = parseAuthority(host ?? '')
  if (authority === undefined) return undefined
  const target = originForm(url, authority.text)
  // Only visible ASCII may stand in a Location; whatever else came is not echoed.
  if ('malformed' in target || !/^\/[\x21-\x7e]*$/.test(target.target)) return undefined
  const name = authority.host.includes(':') ? `[${authority.host}]` : authority.host
  const origin = publicOrigin ?? `https://${name}${port === 443 ? '' : `:${port}`}`
  return `${origin}${target.target}`
}

export async function listenPlain(name: string, section: PlainListener, target: RedirectTarget): Promise<Bound> {
  const servers = section.bind.map(() =>
    createServer({ requestTimeout: 10_000, headersTimeout: 10_000, keepAliveTimeout: 5_000, connectionsCheckingInterval: 2_000 }, (message, response) => {
      const location = redirectLocation(message.headers.host, message.url ?? '', target)
      response.shouldKeepAlive = false
      if (location === undefined) {
        response.writeHead(400, { 'content-type': 'text/plain; charset=utf-8' }).end('This address speaks plain HTTP only to send you on to https, and the request could not be read.\n')
        return
      }
      // 308 keeps the method, so that a script that posts here learns of its mistake and not of a lost body.
      const safe = message.method === 'GET' || message.method === 'HEAD'
      response.writeHead(safe ? 301 : 308, { location, 'content-type': 'text/plain; charset=utf-8' }).end(`This server is at ${location}\n`)
    }),
  )
  const close = async () => {
    for (const one of servers) one.closeAllConnections()
    await Promise.all(servers.map(one => new Promise<void>(resolve => one.close(() => resolve()))))
  }
  const urls: string[] = []
  try {
    for (const [index, { host, port }] of section.bind.entries()) {
      const one = servers[index]
      if (one === undefined) continue
      one.listen({ host, port })
      await once(one, 'listening')
      // A bound TCP server has an AddressInfo.
      urls.push(`http://${host.includes(':') ? `[${host}]` : host}:${(one.address() as AddressInfo).port}`)
    }
  } catch (cause) {
    await close()
    throw cause
  }
  return { name, urls, drain: close, [Symbol.asyncDispose]: close }
}
