/**
 * The composition root: the one file that knows every part, and the order in which they stand.
 *
 * Read it from top to bottom as the building from the ground up: what is opened later leans only on what was opened
 * earlier, and closing runs backwards. Nothing here decides anything.
 */
import { mkdirSync } from 'node:fs'
import { createAccessLog } from './audit/access-log.ts'
import { openAuditLog } from './audit/audit-log.ts'
import { createNoteworthy } from './audit/noteworthy.ts'
import { createRecorder } from './audit/recorder.ts'
import type { Config } from './config/schema.ts'
import type { Destination } from './forward/forward.ts'
import { createInFlight } from './forward/in-flight.ts'
import { identify } from './identity/authenticator.ts'
import { createBasicCheck } from './identity/basic-credentials.ts'
import { createCertificateReader } from './identity/client-certificate.ts'
import { openLocalAccounts } from './identity/local-accounts.ts'
import { createPasswordCheck } from './identity/password-realms.ts'
import { openSessionStore } from './identity/session-store.ts'
import { createThrottle } from './identity/throttle.ts'
import type { Clock } from './kernel/clock.ts'
import { causeLine } from './kernel/fault.ts'
import { openDirectory } from './ldap/directory.ts'
import { listenAdmin } from './listener/admin-listener.ts'
import { trustedProxies } from './listener/client-address.ts'
import { listenPlain, type RedirectTarget } from './listener/plain-listener.ts'
import { type Bound, type ListenerEvents, listenSecure } from './listener/secure-listener.ts'
import { createPages } from './pages.ts'
import { createPipeline } from './pipeline.ts'
import { createPortal } from './portal/portal.ts'
import type { Materials } from './preflight.ts'
import { createReadiness } from './readiness.ts'
import { compileRoutes } from './route/route-table.ts'
import { createStations } from './stations.ts'
import type { Log } from './telemetry/log.ts'
import type { Metrics } from './telemetry/metrics.ts'
import { openUpstream, type Upstream } from './upstream/upstream.ts'
import { openViewer, type Viewer } from './viewer/static-files.ts'

/** A running gateway. Disposing it closes everything at once; `drain` lets what runs finish first. */
export interface Gateway extends AsyncDisposable {
  readonly listeners: readonly Pick<Bound, 'name' | 'urls'>[]
  /** Stops accepting; resolves when nothing runs any more, or `drain` of the configuration has passed. */
  drain(): Promise<void>
}

export interface Surroundings {
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
}

/**
 * Opens everything `config` names and starts to accept connections.
 *
 * If any step fails, whatever was already open is closed again, newest first, before this rejects.
 */
export async function startGateway(
  config: Config,
  materials: Materials,
  { log, metrics, clock }: Surroundings,
): Promise<Gateway> {
  await using open = new AsyncDisposableStack()
  const now = () => clock.now()

  mkdirSync(config.state, { recursive: true, mode: 0o700 })
  const alarm = (cause: unknown) => {
    metrics.auditFailures.inc()
    log.error({ cause: causeLine(cause) }, 'the audit trail cannot be written')
  }
  const audit = open.use(await openAuditLog({ ...config.audit, now, alarm }))
  const sessions = open.use(
    openSessionStore({
      file: config.sessions.store,
      idle: config.sessions.idle,
      absolute: config.sessions.absolute,
      clock,
    }),
  )
  const inFlight = open.use(createInFlight(sessions))

  const { realms } = config
  const local = openLocalAccounts({ file: realms.local.file, clock })
  const directory = realms.directory.enabled
    ? openDirectory(realms.directory, { password: materials.directoryPassword, trust: materials.directoryTrust })
    : undefined
  const passwords = createPasswordCheck({
    provider: realms.passwordProvider,
    local,
    directory,
    throttle: createThrottle(),
  })
  const basic = realms.basic ? createBasicCheck({ passwords, local, clock }) : undefined
  const certificateReaders = new Map(
    [...materials.listeners].map(([name, { truststore }]) => [
      name,
      createCertificateReader(realms.certificate, truststore),
    ]),
  )

  const destinations = new Map<string, Destination>()
  const viewers = new Map<string, Viewer>()
  for (const [name, section] of Object.entries(config.upstreams)) {
    if (section.kind === 'ohif') viewers.set(name, openViewer(section))
    else {
      const upstream = open.use(openUpstream(name, section, materials.upstreamTrust.get(name), now))
      destinations.set(name, { upstream, password: materials.upstreamPasswords.get(name) })
    }
  }

  const routes = compileRoutes(config)
  const access = createAccessLog(log, metrics, now)
  const noteworthy = createNoteworthy(now)
  const portal = createPortal({
    sessions,
    passwords,
    basic: realms.basic,
    routes,
    administrators: config.administrators,
    upstreams: [...destinations.values()].map(({ upstream }) => upstream),
    async audit(id, event) {
      if (event.kind === 'login') metrics.logins.inc({ outcome: 'signed-in' })
      if (event.kind === 'login-refused') metrics.logins.inc({ outcome: event.reason })
      const told = event.kind === 'login-refused' ? noteworthy.ofRefusedLogin(event) : event
      if (told === undefined) return
      let isWritten = false
      try {
        isWritten = await audit.record(id, told)
      } finally {
        if (!isWritten) noteworthy.forget(told)
      }
    },
    now,
  })
  const record = createRecorder({
    audit,
    noteworthy,
    metrics,
    onFailure: config.audit.onFailure,
  })
  const pages = createPages(portal)
  const trusts = trustedProxies(config.trustedProxies)
  const allowed = new Set(config.cors.origins.map(origin => origin.origin))
  const stations = createStations({
    routes,
    pages,
    access,
    record,
    trusts,
    allowed,
    destinations,
    viewers,
    inFlight,
    metrics,
    log,
    identify: (credentials, listener) =>
      identify(credentials, { readCertificate: readerOf(listener), sessions, local, basic, now }),
  })
  const handle = createPipeline(stations)

  const events: ListenerEvents = {
    exchange(exchange) {
      access.open(exchange)
      void handle(exchange)
    },
    upgrade(exchange) {
      access.open(exchange)
      void handle(exchange)
    },
    trouble(listener, kind, address, detail) {
      metrics.trouble.inc({ listener, kind })
      log.debug({ listener, kind, address, detail }, 'client trouble')
    },
    connections: (listener, change) => metrics.connections.inc({ listener }, change),
  }

  const listeners: Bound[] = []
  for (const [name, section] of Object.entries(config.listeners)) {
    const trust = materials.listeners.get(name)
    if (section.kind === 'secure' && trust !== undefined)
      listeners.push(open.use(await listenSecure(name, section, trust, events)))
  }
  for (const [name, section] of Object.entries(config.listeners)) {
    if (section.kind === 'plain')
      listeners.push(open.use(await listenPlain(name, section, redirectTarget(section.redirect, config, listeners))))
  }
  let draining = false
  const upstreams = new Map([...destinations].map(([name, { upstream }]) => [name, upstream]))
  const readiness = createReadiness({
    upstreams,
    viewers,
    directory,
    listeners: materials.listeners,
    isDraining: () => draining,
    now,
  })
  const admin =
    config.admin === undefined
      ? []
      : [
          open.use(
            await listenAdmin(config.admin.bind, {
              readiness,
              metrics: () => readMetrics(metrics, materials, upstreams, now()),
            }),
          ),
        ]
  await audit.record('start', { kind: 'start' })

  const opened = open.move()
  return {
    listeners: [...listeners, ...admin],
    async drain() {
      draining = true
      inFlight.endLasting()
      await Promise.all(listeners.map(listener => listener.drain(config.drain)))
      await audit.record('stop', { kind: 'stop' })
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }

  function readerOf(listener: string) {
    const reader = certificateReaders.get(listener)
    if (reader === undefined) throw new Error(`a connection came by a listener that was never opened: ${listener}`)
    return reader
  }
}

function redirectTarget(name: string, config: Config, listeners: readonly Bound[]): RedirectTarget {
  const section = config.listeners[name]
  const [url = ''] = listeners.find(listener => listener.name === name)?.urls ?? []
  return {
    publicOrigin: section?.kind === 'secure' ? section.publicUrl?.origin : undefined,
    port: Number(new URL(url).port || 443),
  }
}

async function readMetrics(
  metrics: Metrics,
  materials: Materials,
  upstreams: ReadonlyMap<string, Upstream>,
  now: number,
) {
  for (const [listener, { keystore }] of materials.listeners)
    metrics.certificateExpiry.set({ listener }, (keystore.certificate.validToDate.getTime() - now) / 1000)
  for (const [upstream, { health }] of upstreams)
    if (health.state !== 'unknown') metrics.upstreamUp.set({ upstream }, health.state === 'up' ? 1 : 0)
  return { type: metrics.registry.contentType, text: await metrics.registry.metrics() }
}
