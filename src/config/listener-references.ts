/**
 * What entrances need of each other and of the rest: an address of their own, a listener to send people to, proxies.
 */
import { known, type Problem } from './problem.ts'
import type { Config } from './schema.ts'

export function* listenerProblems({ listeners, streams, admin, trustedProxies }: Config): Generator<Problem> {
  const secure = Object.keys(listeners).filter(name => listeners[name]?.kind === 'secure')
  const bound = new Map<string, string>()
  const claim = function* (
    owner: string,
    path: readonly string[],
    addresses: readonly { host: string; port: number }[],
  ): Generator<Problem> {
    for (const { host, port } of addresses) {
      const key = `${host}:${port}`
      const other = port === 0 ? undefined : bound.get(key)
      if (other === undefined) bound.set(key, owner)
      else yield { path, message: `${key} is already bound by ${other}` }
    }
  }
  for (const [name, listener] of Object.entries(listeners)) {
    yield* claim(`listeners.${name}`, ['listeners', name, 'bind'], listener.bind)
    if (listener.kind === 'plain' && !secure.includes(listener.redirect)) {
      yield {
        path: ['listeners', name, 'redirect'],
        message: `no listener with TLS is called "${listener.redirect}"; ${known(secure)}`,
      }
    }
  }
  for (const [name, stream] of Object.entries(streams))
    yield* claim(`streams.${name}`, ['streams', name, 'bind'], stream.bind)
  if (admin !== undefined) yield* claim('admin', ['admin', 'bind'], admin.bind)
  for (const [kind, all] of Object.entries({ listeners, streams })) {
    for (const [name, one] of Object.entries(all)) {
      if (!('proxyProtocol' in one) || one.proxyProtocol !== 'v2' || trustedProxies.length > 0) continue
      yield {
        path: [kind, name, 'proxyProtocol'],
        message:
          'only trustedProxies may announce clients, and there are none: write trustedProxies: [ADDRESS of the balancer]',
      }
    }
  }
}
