/**
 * One state of the configuration at work: routes, realms, upstreams and rules that belong together.
 *
 * It never changes. A reload builds the next one beside it; exchanges that began on this one end on it, and with the
 * last of them it is closed. What both need the same (connections to an upstream, revocation lists) is passed on.
 */
import { randomUUID } from 'node:crypto'
import { createRecorder } from './audit/recorder.ts'
import { withFrameCache } from './cache/frame-cache.ts'
import type { RevocationSection } from './config/revocation.ts'
import type { Config } from './config/schema.ts'
import { type Destination, destinationOf } from './forward/forward.ts'
import type { Judge } from './forward/in-flight.ts'
import type { House } from './house.ts'
import { absent } from './identity/answer.ts'
import { type AuthenticatorParts, identify } from './identity/authenticator.ts'
import { createBasicCheck } from './identity/basic-credentials.ts'
import { createHolderReader, type HolderReader } from './identity/certificate-holders.ts'
import { createRevoked } from './identity/certificate-revocation.ts'
import { createCertificateReader } from './identity/client-certificate.ts'
import { createDirectoryLogin } from './identity/directory-login.ts'
import { createDirectoryPeople, memoryKey } from './identity/directory-people.ts'
import { openLocalAccounts } from './identity/local-accounts.ts'
import { createPasswordCheck } from './identity/password-realms.ts'
import { createPresence } from './identity/presence.ts'
import { createVerdictMemory } from './identity/remembered-verdicts.ts'
import { asOfLately, createStanding } from './identity/standing.ts'
import { createThrottle } from './identity/throttle.ts'
import { after } from './kernel/eventually.ts'
import { causeLine } from './kernel/fault.ts'
import { foldName } from './kernel/fold-name.ts'
import { memo } from './kernel/memo.ts'
import { openDirectory } from './ldap/directory.ts'
import { trustedProxies } from './listener/client-address.ts'
import type { Exchange, UpgradeExchange } from './listener/exchange.ts'
import { createPages } from './pages.ts'
import { createPipeline } from './pipeline.ts'
import { createPortal } from './portal/portal.ts'
import type { Materials } from './preflight.ts'
import { createReadiness } from './readiness.ts'
import { compileRoutes } from './route/route-table.ts'
import { createStations } from './stations.ts'
import { openRevocation, type Revocation } from './tls/revocation.ts'
import type { ServerTrust } from './tls/server-context.ts'
import { openUpstream, type Upstream } from './upstream/upstream.ts'
import { openViewer, type Viewer } from './viewer/static-files.ts'

export interface Generation extends AsyncDisposable {
  readonly config: Config
  readonly materials: Materials
  readonly upstreams: ReadonlyMap<string, Upstream>
  /** Revocation lists, by listener or stream. */
  readonly lists: ReadonlyMap<string, Pick<Revocation, 'state'>>
  readonly readiness: ReturnType<typeof createReadiness>
  handle(exchange: Exchange | UpgradeExchange): void
  /** @param entrance  name of a listener or stream */
  certificatesOf(kind: 'listeners' | 'streams', entrance: string): HolderReader
  /** Of what runs. */
  readonly judge: Judge
  /** Looks after those who are signed in by the directory. May throw Fault('state-unavailable') */
  recheck(): void
  /** Resolves when the revocation lists from elsewhere have come, or will not for now. */
  readonly listsReady: Promise<void>
  /** Closes it behind the last exchange that runs on it. */
  retire(): void
}

export async function openGeneration(config: Config, materials: Materials, house: House): Promise<Generation> {
  const { audit, sessions, inFlight, noteworthy, access, ledger, metrics, log, clock } = house
  await using open = new AsyncDisposableStack()
  const now = () => clock.now()

  const { realms } = config
  const local = openLocalAccounts({ file: house.kept.localAccounts(realms.local), clock })
  const directory = realms.directory.enabled
    ? open.use(
        openDirectory(realms.directory, {
          password: materials.directoryPassword,
          trust: materials.directoryTrust,
          ignoreCase: realms.ignoreCase,
          clock,
        }),
      )
    : undefined
  const standing = createStanding({ local, accounts: house.accounts })
  const recent = asOfLately({ local, accounts: house.accounts })
  await directory?.prepare()
  const throttle = createThrottle(house.failures, realms.throttle)
  const passwords = createPasswordCheck({
    ...{ provider: realms.passwordProvider, ignoreCase: realms.ignoreCase, local, accounts: house.accounts },
    ...{ standing, throttle },
    directory: directory && {
      login: createDirectoryLogin({
        ...{ directory, local, accounts: house.accounts, binds: throttle.binds, clock },
        syncOnLogin: realms.directory.syncOnLogin,
        filterOnce: realms.passwordProvider === 'chained431',
        reserved: { administrators: config.administrators, allowed: realms.directory.allowReserved },
        warn: (facts, message) => log.warn(facts, message),
      }),
      pretendToCheck: () => directory.pretendToCheck(),
    },
  })
  const basic = realms.basic ? createBasicCheck({ passwords, ...recent, clock, isStale: sessions.isStale }) : undefined

  const people =
    directory &&
    createDirectoryPeople({
      ...{ directory, local, sessions, running: inFlight, realms, now },
      ...{ accounts: house.accounts, recent, administrators: config.administrators },
      ...{ recheck: house.settled.sessions.recheck, lookEvery: house.recheckLook, isMine: house.isMine },
      memory: open.use(house.verdicts.take(memoryKey(realms, config.administrators), createVerdictMemory)).part,
      putOut(name, proof, { reason, why: detail }) {
        log.info({ name, reason, detail }, 'somebody was put out: the directory lets them in no longer')
        const who = { name, realm: 'directory', proof }
        void house.note(randomUUID(), { kind: 'access-ended', who, reason, detail })
        if (proof === 'certificate') house.lookAtHolders()
      },
      silent: fault => log.warn({ cause: causeLine(fault) }, 'what the directory said last of people goes on to count'),
    })

  const readers = { listeners: new Map<string, HolderReader>(), streams: new Map<string, HolderReader>() }
  const listsReady: Promise<void>[] = []
  const listsOf = new Map<string, Revocation>()
  const readerFor = (entrance: string, trust: ServerTrust, section: RevocationSection | undefined) => {
    const openLists = (of: RevocationSection) =>
      house.revocations.take(JSON.stringify([entrance, of]), () => openRevocation(of, house.revocationParts))
    const lists = section && open.use(openLists(section)).part
    lists?.reread()
    if (lists !== undefined) {
      listsReady.push(lists.ready)
      listsOf.set(entrance, lists)
    }
    const revoked = createRevoked({ ledger, lists })
    return createHolderReader({
      readCertificate: createCertificateReader({ realms: realms.certificate, trust, revoked }),
      verdicts: people?.verdicts,
      spell: name => (realms.ignoreCase ? foldName(name) : name),
    })
  }
  for (const kind of ['listeners', 'streams'] as const) {
    for (const [name, trust] of materials[kind]) {
      const section = config[kind][name]
      const revocation = section !== undefined && 'clients' in section ? section.clients.revocation : undefined
      readers[kind].set(name, readerFor(`${kind}.${name}`, trust, revocation))
    }
  }
  const certificatesOf = (kind: 'listeners' | 'streams', entrance: string): HolderReader => {
    const reader = readers[kind].get(entrance)
    // A connection that outlived its listener in a reload proves nothing any more.
    return reader ?? { known: () => absent, read: () => absent }
  }

  const destinations = new Map<string, Destination>()
  const viewers = new Map<string, Viewer>()
  for (const [name, section] of Object.entries(config.upstreams)) {
    if (section.kind === 'ohif') {
      viewers.set(name, openViewer(section))
      continue
    }
    const trust = materials.upstreamTrust.get(name)
    const warn = (text: string) => log.warn({ upstream: name }, text)
    // Connections are passed on only between upstreams that are the same to the last byte of their trust.
    const key = JSON.stringify([name, section, trust])
    const openIt = () => withFrameCache(openUpstream(name, section, trust, now, warn), house, warn)
    const { part } = open.use(house.upstreams.take(key, openIt))
    destinations.set(name, destinationOf(part, materials.upstreamPasswords.get(name)))
  }
  const upstreams = new Map([...destinations].map(([name, { upstream }]) => [name, upstream]))

  const routes = compileRoutes(config)
  const portal = await createPortal({
    sessions,
    passwords,
    standing,
    basic: realms.basic,
    routes,
    administrators: config.administrators,
    upstreams: [...upstreams.values()],
    audit: house.recordOwn,
    now,
  })
  const sessionAccounts = { provider: realms.passwordProvider, ...recent, accounts: directory && recent.accounts }
  const proofsOf = memo((listener: string): AuthenticatorParts => {
    return { ...sessionAccounts, certificates: certificatesOf('listeners', listener), sessions, basic, now }
  }, 100)
  const pipeline = createPipeline(
    createStations({
      routes,
      pages: createPages(portal),
      access,
      record: createRecorder({ audit, noteworthy, metrics, onFailure: config.audit.onFailure }),
      trusts: trustedProxies(config.trustedProxies),
      allowed: new Set(config.cors.origins.map(origin => origin.origin)),
      listeners: materials.listeners,
      destinations,
      viewers,
      inFlight,
      presence: createPresence({
        ...{ ...sessionAccounts, sessions, basic: realms.basic, now },
        certificatesOf: listener => certificatesOf('listeners', listener),
      }),
      certificateOf: ({ listener, socket }) => certificatesOf('listeners', listener).known(socket, now()),
      metrics,
      log,
      identify: (credentials, listener) =>
        after(identify(credentials, proofsOf(listener)), identity => {
          if (identity.certificateAnswer.kind === 'proven') house.holders.add(credentials.peer)
          return identity
        }),
    }),
  )
  const readiness = createReadiness({
    ...{ upstreams, viewers, directory, now },
    entrances: new Map([...materials.listeners, ...materials.streams]),
    ...{ isDraining: house.isDraining, trouble: house.kept.trouble },
  })

  const opened = open.move()
  /** Of each exchange there are two: its walk through the pipeline, and its answer. */
  let [running, isRetired] = [0, false]
  const closeWhenDone = () => void (isRetired && running === 0 && opened.disposeAsync())
  const ended = () => {
    running--
    closeWhenDone()
  }
  return {
    config,
    materials,
    upstreams,
    lists: listsOf,
    readiness,
    certificatesOf,
    judge: pipeline.judge,
    recheck: () => people?.recheck(),
    listsReady: Promise.all(listsReady).then(() => undefined),
    handle(exchange) {
      running += 2
      void pipeline.handle(exchange).then(ended)
      exchange.finished.tell(ended)
    },
    retire() {
      isRetired = true
      closeWhenDone()
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
