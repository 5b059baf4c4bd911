/**
 * Reads every file that a configuration names and holds it against the rest; binds and changes nothing.
 *
 * `check` prints what comes out, `serve` starts only on what comes out: the gateway never starts half open.
 */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readDirectoryAuthorities, readSupplied } from './acme/keystore-file.ts'
import type { AcmeOrder } from './acme/supplies.ts'
import type { KeystoreSection } from './config/keystore.ts'
import type { PlainListener, SecureListener } from './config/listener.ts'
import type { Loaded, Locate } from './config/load.ts'
import type { PeerTrustSection } from './config/peer-trust.ts'
import type { Problem } from './config/problem.ts'
import type { DirectorySection } from './config/realm.ts'
import type { SecretPlace } from './config/scalars.ts'
import type { Config } from './config/schema.ts'
import { readAccountFile } from './identity/account-file.ts'
import { inspectIssuers } from './identity/certificate-realms.ts'
import { inspectNames } from './identity/inspect-names.ts'
import { causeLine } from './kernel/fault.ts'
import type { Secret } from './kernel/secret.ts'
import { planDirectory } from './ldap/directory-plan.ts'
import { inspectStore, type StoreMaterials } from './redis/terms.ts'
import { inspectKeys } from './tls/fitting-keys.ts'
import { type Keystore, readKeystore, unreadable } from './tls/keystore.ts'
import { type PeerTrust, readPeerTrust } from './tls/peer-trust.ts'
import { effectiveTerms, type Report } from './tls/protocol-floor.ts'
import { inspectRevocation } from './tls/revocation.ts'
import { readSecret } from './tls/secret-file.ts'
import { type ServerTrust, serverTrust, unusable } from './tls/server-context.ts'
import { readTruststore } from './tls/truststore.ts'

/** What the files held, ready to be used. */
export interface Materials {
  /** By name of the listener with TLS. */
  readonly listeners: ReadonlyMap<string, ServerTrust>
  readonly streams: ReadonlyMap<string, ServerTrust>
  /** Keystores that are asked for while the gateway runs. */
  readonly acme: readonly AcmeOrder[]
  /** By name of the upstream; only those with settings of their own. */
  readonly upstreamTrust: ReadonlyMap<string, PeerTrust>
  readonly upstreamPasswords: ReadonlyMap<string, Secret>
  readonly directoryTrust: PeerTrust | undefined
  readonly directoryPassword: Secret | undefined
  readonly store: StoreMaterials
}

export interface Inspected {
  /** Undefined when there is an error among the problems. */
  readonly materials: Materials | undefined
  readonly problems: readonly Problem[]
}

/** Every problem at once: those of the configuration itself, and those of the files that it names. */
export function inspectLoaded(loaded: Loaded, env: NodeJS.ProcessEnv, now: number): Inspected {
  const readable = loaded.ok ? loaded : loaded.draft
  const own = loaded.ok ? loaded.warnings : loaded.problems
  if (readable === undefined) return { materials: undefined, problems: own }
  const { materials, problems } = inspect(readable.config, readable.locate, env, now)
  const all = [...own, ...problems].toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0))
  return { materials: loaded.ok ? materials : undefined, problems: all }
}

type Path = readonly (string | number)[]

/** Where TLS ends: a listener or a stream. */
type Terminating = Pick<SecureListener, 'tls' | 'keystores' | 'clients'>

/** @param env  where `{ env: NAME }` is looked up */
export function inspect(config: Config, locate: Locate, env: NodeJS.ProcessEnv, now: number): Inspected {
  const problems: Problem[] = []
  const at =
    (...path: Path): Report =>
    (key, message, severity) => {
      problems.push(locate({ path: [...path, key], message, ...(severity === undefined ? {} : { severity }) }))
    }
  const secret = (place: SecretPlace | undefined, path: Path): Secret | undefined =>
    place === undefined
      ? undefined
      : readSecret(place, env, (message, severity) => at(...path.slice(0, -1))(String(path.at(-1)), message, severity))
  const trust = (section: PeerTrustSection, path: Path) =>
    readPeerTrust(section, secret(section.password, [...path, 'password']), now, at(...path))

  const asTheyAre = new Set(config.realms.certificate.flatMap(({ people }) => [...people.keys()]))
  const acme: AcmeOrder[] = []
  const keystoreOf = (section: KeystoreSection, path: Path): Keystore | 'none yet' | undefined => {
    const report = at(...path)
    if (section.kind === 'files') {
      const { certificate, key } = section
      return readKeystore({ certificate, key, password: secret(section.password, [...path, 'password']) }, now, report)
    }
    const bindingKey = secret(section.eab?.key, [...path, 'acme', 'eab', 'key'])
    acme.push({ section, ca: readDirectoryAuthorities(section, at(...path, 'acme')), bindingKey })
    return readSupplied(section, config.state, now, report)
  }
  const trustOf = (section: Terminating, path: Path): ServerTrust | undefined => {
    const { clients } = section
    const terms = effectiveTerms(section.tls, at(...path, 'tls'))
    const several = section.keystores.length > 1
    const keystores = section.keystores.map((one, index) =>
      keystoreOf(one, [...path, 'keystore', ...(several ? [index] : [])]),
    )
    const truststore =
      clients.truststore === undefined
        ? undefined
        : readTruststore(clients.truststore, now, at(...path, 'clients'), asTheyAre)
    if (clients.revocation !== undefined && truststore !== undefined)
      inspectRevocation(clients.revocation, now, truststore.pem, at(...path, 'clients', 'revocation'))
    if (terms === undefined || keystores.includes(undefined)) return undefined
    if (clients.certificate !== 'none' && truststore === undefined) return undefined
    const present = keystores.filter(one => one !== undefined && one !== 'none yet')
    inspectKeys(terms, present, at(...path, 'tls'))
    const trust = serverTrust({
      terms,
      keystores: present,
      clients: clients.certificate,
      truststore,
      depth: clients.depth,
      only: clients.only,
    })
    const broken = unusable(trust)
    if (broken === undefined) return trust
    at(...path, 'keystore')(
      several ? String(broken.at) : 'certificate',
      `OpenSSL does not take this certificate on these terms: ${broken.why}`,
    )
    return undefined
  }
  const trusts = (kind: 'listeners' | 'streams', sections: Readonly<Record<string, Terminating | PlainListener>>) => {
    const read = new Map<string, ServerTrust>()
    for (const [name, section] of Object.entries(sections)) {
      const trust = 'keystores' in section ? trustOf(section, [kind, name]) : undefined
      if (trust !== undefined) read.set(name, trust)
    }
    return read
  }
  const listeners = trusts('listeners', config.listeners)
  const streams = trusts('streams', config.streams)
  inspectIssuers(config.realms.certificate, [...listeners.values(), ...streams.values()], at('realms', 'certificate'))

  const upstreamTrust = new Map<string, PeerTrust>()
  const upstreamPasswords = new Map<string, Secret>()
  for (const [name, upstream] of Object.entries(config.upstreams)) {
    const path = ['upstreams', name]
    if (upstream.kind === 'ohif') {
      if (statSync(join(upstream.root, 'index.html'), { throwIfNoEntry: false }) === undefined) {
        at(...path)(
          'root',
          `there is no viewer in ${upstream.root} (no index.html); run: sallyport viewer install --dir ${upstream.root}`,
        )
      }
      continue
    }
    const read = upstream.tls === undefined ? undefined : trust(upstream.tls, [...path, 'tls'])
    if (read !== undefined) upstreamTrust.set(name, read)
    const password = secret(upstream.credentials?.password, [...path, 'credentials', 'password'])
    if (password !== undefined) upstreamPasswords.set(name, password)
  }

  const store = inspectStore(config.sessions.store, env, now, at('sessions', 'store'))
  const { directory, local } = config.realms
  const asked = directory.enabled ? inspectDirectory(directory, env, now, at) : undefined
  try {
    if (local.isShared && existsSync(local.file))
      at('sessions')('store', `local accounts stand in Redis: ${local.file} counts no longer`, 'warning')
    const { accounts } = local.isShared ? { accounts: [] } : readAccountFile(local.file)
    if (config.realms.ignoreCase) inspectNames({ accounts, routes: config.routes }, at)
  } catch (cause) {
    at('realms', 'local')('file', causeLine(cause))
  }

  const broken = problems.some(problem => problem.severity !== 'warning')
  return {
    materials: broken
      ? undefined
      : {
          ...{ listeners, streams, acme, upstreamTrust, upstreamPasswords },
          directoryTrust: asked?.trust,
          directoryPassword: asked?.password,
          store,
        },
    problems,
  }
}

/** What is needed to ask the directory, of use only where no error was reported; commands that ask it need nothing else. */
export function inspectDirectory(
  directory: DirectorySection,
  env: NodeJS.ProcessEnv,
  now: number,
  at: (...path: Path) => Report,
): { readonly trust: PeerTrust | undefined; readonly password: Secret | undefined } {
  const path = ['realms', 'directory']
  const secretOf = (place: SecretPlace | undefined, ...where: Path) =>
    place && readSecret(place, env, (message, severity) => at(...path, ...where)('password', message, severity))
  const { tls } = directory
  const trust = tls && readPeerTrust(tls, secretOf(tls.password, 'tls'), now, at(...path, 'tls'))
  const password = secretOf(directory.password)
  if (password?.isEmpty === true)
    at(...path)('password', 'this password is empty: the directory would take the search for an anonymous one')
  const planned = planDirectory(directory)
  if (!planned.ok) for (const { key, message } of planned.mistakes) at(...path)(key, message)
  if (directory.newUserGroup.kind === 'bean') inspectModule(directory.newUserGroup.file, at(...path))
  return { trust, password }
}

/** It runs inside the gateway with all its rights: whoever may write it may do anything here. */
function inspectModule(file: string, report: Report): void {
  try {
    const { mode } = statSync(file)
    if ((mode & 0o022) !== 0)
      report('newUserGroup', `others may write ${file}, and it would run inside the gateway; chmod go-w ${file}`)
  } catch (cause) {
    report('newUserGroup', unreadable(file, cause))
  }
}
