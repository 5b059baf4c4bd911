/**
 * What one section says of another: names that must exist, and settings that only make sense together.
 */
import { acmeProblems } from './acme-references.ts'
import { tooFew } from './divided.ts'
import { listenerProblems } from './listener-references.ts'
import { known, type Problem, pathText } from './problem.ts'
import { isReserved } from './reserved-groups.ts'
import type { Config } from './schema.ts'

/** Bytes to these never leave the machine. @param host  as a URL has it */
const isLoopback = (host: string) => /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host)

/** What a rule may call a realm. */
const realmNamesOf = ({ certificate }: Config['realms']): readonly string[] => [
  ...new Set([...certificate.map(({ id }) => id), 'directory', 'local']),
]

function* routeProblems({ routes, upstreams, listeners, realms }: Config): Generator<Problem> {
  const realmNames = realmNamesOf(realms)
  const certificates = Object.values(listeners).some(one => one.kind === 'secure' && one.clients.certificate !== 'none')
  const seen = new Map<string, number>()
  for (const [index, route] of routes.entries()) {
    const at = ['routes', index]
    if (!Object.hasOwn(upstreams, route.upstream)) {
      yield {
        path: [...at, 'upstream'],
        message: `no upstream is called "${route.upstream}"; ${known(Object.keys(upstreams))}`,
      }
      continue
    }
    const kind = upstreams[route.upstream]?.kind
    const key = `${route.host ?? ''}${route.path}`
    const first = seen.get(key)
    if (first !== undefined) yield { path: [...at, 'path'], message: `routes[${first}] already has this host and path` }
    else seen.set(key, index)
    if (kind === 'ohif' && (route.path !== '/' || route.strip)) {
      yield {
        path: [...at, 'path'],
        message: 'the viewer is built for the root of an origin: its route has path / and no strip',
      }
    }
    if (kind === 'omero-web' && route.strip) {
      yield { path: [...at, 'strip'], message: 'OMERO.web wants its prefix kept (omero.web.prefix); leave strip out' }
    }
    if (Array.isArray(route.access)) {
      for (const [number, rule] of route.access.entries()) {
        if (certificates && rule.people !== undefined && rule.proof === undefined && rule.realms === undefined) {
          yield {
            path: [...at, 'access', number, 'people'],
            severity: 'warning',
            message:
              'any realm may vouch for these names, every authority of the truststore too; say which: realms, or proof',
          }
        }
        for (const realm of rule.realms ?? []) {
          if (realmNames.includes(realm)) continue
          yield {
            path: [...at, 'access', number, 'realms'],
            message: `no realm is called "${realm}"; ${known(realmNames)}`,
          }
        }
        if (rule.dangerous && kind !== 'orthanc') {
          yield {
            path: [...at, 'access', number, 'dangerous'],
            message: 'dangerous is known for upstreams of kind orthanc only',
          }
        }
      }
    }
  }
}

function* streamProblems({ streams, realms }: Config): Generator<Problem> {
  const known = realms.certificate.map(({ id }) => id)
  for (const [name, { access }] of Object.entries(streams)) {
    if (typeof access === 'string') continue
    for (const [number, { realms: wanted = [] }] of access.entries()) {
      for (const realm of wanted) {
        if (known.includes(realm)) continue
        yield {
          path: ['streams', name, 'access', number, 'realms'],
          message: `people come by a stream with certificates only; realms of certificates: ${known.join(', ')}`,
        }
      }
    }
  }
}

function* realmProblems({ realms, administrators }: Config): Generator<Problem> {
  for (const [index, { name, issuers }] of realms.certificate.entries()) {
    if (name !== 'serial' || issuers?.length === 1) continue
    yield {
      path: ['realms', 'certificate', index, 'name'],
      severity: 'warning',
      message: 'two authorities may give the same serial number to two people; name one issuer',
    }
  }
  const { directory, passwordProvider } = realms
  for (const [index, one] of realms.certificate.entries()) {
    if (one.directory && !directory.enabled)
      yield {
        path: ['realms', 'certificate', index, 'directory'],
        message: 'holders are looked up in the directory, but realms.directory is not enabled',
      }
  }
  if (passwordProvider === 'directory' && !directory.enabled) {
    yield {
      path: ['realms', 'passwordProvider'],
      message: 'passwords are asked of the directory only, but realms.directory is not enabled',
    }
  }
  if (!directory.enabled) return
  if (directory.username !== undefined && directory.password === undefined) {
    yield {
      path: ['realms', 'directory', 'username'],
      message: 'a reader account without a password would search anonymously; give its password, or leave both out',
    }
  }
  if (directory.username === undefined && directory.password !== undefined) {
    yield { path: ['realms', 'directory', 'password'], message: 'a password without a username is never used' }
  }
  const { urls, startTls, tls, newUserGroup: spec, allowReserved } = directory
  if (spec.kind === 'literal' && isReserved(spec.group, { administrators, allowed: allowReserved }))
    yield {
      path: ['realms', 'directory', 'newUserGroup'],
      message: `everybody in the directory would be in the reserved group "${spec.group}"; name another, or write allowReserved: [${spec.group}]`,
    }
  const plain = urls.filter(url => /^ldap:/i.test(url))
  if (tls !== undefined && !startTls && plain.length > 0)
    yield { path: ['realms', 'directory', 'tls'], message: 'tls needs ldaps:// URLs, or startTls: true' }
  if (startTls && plain.length < urls.length)
    yield {
      path: ['realms', 'directory', 'startTls'],
      message: 'an ldaps:// URL is encrypted from its first byte; StartTLS is for ldap:// URLs only',
    }
  if (!startTls && plain.some(url => !isLoopback(new URL(url).hostname))) {
    yield {
      path: ['realms', 'directory', 'urls'],
      severity: 'warning',
      message: 'passwords travel unencrypted to this directory; use an ldaps:// URL, or startTls: true',
    }
  }
  if (!directory.syncOnLogin && spec.kind !== 'literal') {
    yield {
      path: ['realms', 'directory'],
      severity: 'warning',
      message:
        'groups stay as they were at the first sign-in, also of those who leave one (as in OMERO); syncOnLogin: true follows the directory',
    }
  }
}

function* upstreamProblems({ upstreams }: Config): Generator<Problem> {
  for (const [name, upstream] of Object.entries(upstreams)) {
    if (upstream.kind === 'ohif') continue
    if (upstream.tls !== undefined && upstream.url.protocol !== 'https:') {
      yield { path: ['upstreams', name, 'tls'], message: 'tls needs an https:// url' }
    }
    if (upstream.credentials !== undefined && upstream.authorization === 'pass') {
      yield {
        path: ['upstreams', name, 'authorization'],
        message: 'either the gateway signs in (credentials) or the client does (pass)',
      }
    }
    if (upstream.cache !== undefined && upstream.authorization === 'pass') {
      yield {
        path: ['upstreams', name, 'cache'],
        message:
          'an upstream that clients sign in to (authorization: pass) shows each of them something else; leave it out',
      }
    }
    if (
      upstream.credentials !== undefined &&
      upstream.urls.some(({ protocol, hostname }) => protocol === 'http:' && !isLoopback(hostname))
    ) {
      yield {
        path: ['upstreams', name, 'url'],
        severity: 'warning',
        message: 'the password for this upstream travels unencrypted',
      }
    }
  }
}

function* otherProblems({ sessions, cors }: Config): Generator<Problem> {
  if (sessions.idle > sessions.absolute) {
    yield {
      path: ['sessions', 'idle'],
      message: 'a session cannot idle for longer than it may last (sessions.absolute)',
    }
  }
  for (const [index, origin] of cors.origins.entries()) {
    if (origin.protocol !== 'https:') {
      yield {
        path: ['cors', 'origins', index],
        severity: 'warning',
        message: 'this site is unencrypted: whoever sits on the line can call the gateway in its name',
      }
    }
  }
}

function* workerProblems(config: Config): Generator<Problem> {
  const { workers } = config
  const few = workers === 'auto' ? undefined : tooFew(config, workers)
  if (few === undefined) return
  yield {
    path: ['workers'],
    message: `${pathText(few.path)} is ${few.limit}, and each worker needs one: write ${few.limit} workers at most, or auto`,
  }
}

/** Every problem between the sections of a configuration whose shape is right. */
export const referenceProblems = (config: Config): Problem[] => [
  ...listenerProblems(config),
  ...acmeProblems(config),
  ...streamProblems(config),
  ...realmProblems(config),
  ...upstreamProblems(config),
  ...routeProblems(config),
  ...otherProblems(config),
  ...workerProblems(config),
]
