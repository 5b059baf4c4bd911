/**
 * The composition root: what is opened, in which order, and how it follows the configuration while it runs.
 *
 *   house         what outlives a reload: state, sessions, audit trail
 *   generation    one state of the configuration at work; a reload builds the next one
 *   entrances     the bound addresses, which stay
 *
 * What is opened later leans only on what was opened earlier, and closing runs backwards. Nothing here decides anything.
 */
import { acmeDir } from './acme/keystore-file.ts'
import { createSupplies } from './acme/supplies.ts'
import { createStreamRecorder } from './audit/recorder.ts'
import { type Problem, pathText } from './config/problem.ts'
import type { Config } from './config/schema.ts'
import { createEntrances } from './entrances.ts'
import { openGeneration } from './generation.ts'
import { type HolderWatch, noteArrival, watchHolders } from './holders.ts'
import { type House, openHouse, type Surroundings } from './house.ts'
import { descriptorLimit } from './kernel/descriptor-limit.ts'
import { every } from './kernel/every.ts'
import { causeLine, Fault } from './kernel/fault.ts'
import { listenAdmin } from './listener/admin-listener.ts'
import { trustedProxies } from './listener/client-address.ts'
import type { Exchange, UpgradeExchange } from './listener/exchange.ts'
import { fitConnections } from './listener/fit-connections.ts'
import type { Bound } from './listener/secure-listener.ts'
import { certificatesIn, createTrouble, readMetrics } from './monitoring.ts'
import type { Materials } from './preflight.ts'
import { createExpiryWatch } from './tls/expiry.ts'

/** Milliseconds between two looks at how soon certificates end. */
const expiryLook = 3_600_000
/** Milliseconds that revocation lists from elsewhere may take before the gateway goes on without them. */
const listsPatience = 10_000

/** A running gateway. Disposing it closes everything at once; `drain` lets what runs finish first. */
export interface Gateway extends AsyncDisposable {
  readonly listeners: readonly Pick<Bound, 'name' | 'urls'>[]
  /** Reads the configuration again and goes over to it. What it still permits runs on; what is wrong changes nothing. */
  reload(read: ReadConfiguration): Promise<Reloaded>
  /** Stops accepting; resolves when nothing runs any more, or `drain` of the configuration has passed. */
  drain(): Promise<void>
}

/** The configuration with its files as they are now; without materials when there is an error among the problems. */
export type ReadConfiguration = () => {
  readonly config: Config | undefined
  readonly materials: Materials | undefined
  readonly problems: readonly Problem[]
}

export type Reloaded = { readonly ok: true } | { readonly ok: false; readonly why: string }

export interface GatewayOptions extends Surroundings {
  /** Told when files that belong to the configuration have changed by the gateway's own doing. */
  readonly materialsChanged?: () => void
}

/**
 * Opens everything `config` names and starts to accept connections.
 *
 * If any step fails, whatever was already open is closed again, newest first, before this rejects.
 */
export async function startGateway(config: Config, materials: Materials, options: GatewayOptions): Promise<Gateway> {
  const { log, metrics, clock } = options
  await using open = new AsyncDisposableStack()
  let draining = false
  let holders: HolderWatch | undefined
  const house = open.use(
    await openHouse(config, options, { isDraining: () => draining, revocationChanged: () => holders?.look() }),
  )
  let current = open.use(await openGeneration(config, materials, house))
  house.inFlight.judgeBy(current.judge)
  await settled(current.listsReady)

  const begin = (exchange: Exchange | UpgradeExchange) => {
    house.access.open(exchange)
    current.handle(exchange)
  }
  const trouble = createTrouble(house)
  let trusts = trustedProxies(config.trustedProxies)
  const isProxy = (address: string) => trusts(address)
  const fitting = (wanted: Config) =>
    fitConnections(wanted, descriptorLimit(), facts =>
      log.warn(facts, 'this process may have too few files open (ulimit -n) for all connections: fewer are let in'),
    )
  const recordStream = createStreamRecorder({ ...house, onFailure: house.settled.audit.onFailure })
  const supplies = open.use(
    createSupplies({
      dir: acmeDir(house.settled.state),
      now: () => clock.now(),
      tell: (level, facts, message) => log[level](facts, message),
      renewed: () => options.materialsChanged?.(),
    }),
  )
  const entrances = open.use(
    createEntrances({
      challenge: supplies.challenge,
      listenerEvents: {
        exchange: begin,
        upgrade: begin,
        trouble,
        isProxy,
        connections: (listener, change) => metrics.connections.inc({ listener }, change),
      },
      streamParts: name => ({
        readCertificate: () => {
          const { config: judgedBy } = current
          const certificates = current.certificatesOf('streams', name)
          return async (peer, now) => {
            const answer = await certificates.read(peer, now)
            noteArrival(house, judgedBy, name, peer, answer)
            return answer
          }
        },
        record: recordStream,
        trouble,
        isProxy,
        metrics,
        log,
        now: () => clock.now(),
      }),
    }),
  )
  await entrances.follow(fitting(config), materials, () => undefined)
  supplies.follow(materials.acme)

  holders = open.use(watchHolders({ house, entrances, current: () => current }))
  const expiry = createExpiryWatch(
    (level, facts, message) => log[level](facts, message),
    () => clock.now(),
  )
  const lookAtEnds = () => expiry.look(certificatesIn(current))
  lookAtEnds()
  open.use(every(expiryLook, lookAtEnds))

  const admin: Bound[] = []
  if (config.admin !== undefined) {
    const readiness = () => current.readiness()
    const read = () => readMetrics(house, current)
    admin.push(open.use(await listenAdmin(config.admin.bind, { readiness, metrics: read })))
  }
  metrics.configurationCurrent.set(1)
  await house.audit.record('start', { kind: 'start' })
  const { note } = house
  open.use(
    every(house.recheckLook, () => {
      try {
        current.recheck()
      } catch (fault) {
        // Records that cannot be read now end nothing; the next request meets the same fault, and reports it.
        if (!(fault instanceof Fault)) throw fault
      }
    }),
  )

  let turn: Promise<unknown> = Promise.resolve()
  async function goOver(next: Config, nextMaterials: Materials): Promise<void> {
    const generation = await openGeneration(next, nextMaterials, house)
    await settled(generation.listsReady)
    const former = current
    try {
      await entrances.follow(fitting(next), nextMaterials, () => {
        current = generation
        trusts = trustedProxies(next.trustedProxies)
      })
    } catch (cause) {
      await generation[Symbol.asyncDispose]()
      throw cause
    }
    house.inFlight.judgeBy(current.judge)
    former.retire()
    supplies.follow(nextMaterials.acme)
    lookAtEnds()
    holders?.look()
  }
  async function reload(read: ReadConfiguration): Promise<Reloaded> {
    const outcome = await attempt(read)
    metrics.reloads.inc({ outcome: outcome.ok ? 'taken' : 'refused' })
    metrics.configurationCurrent.set(outcome.ok ? 1 : 0)
    await note('reload', { kind: 'reload', ...(outcome.ok ? {} : { refused: outcome.why }) })
    return outcome
  }
  async function attempt(read: ReadConfiguration): Promise<Reloaded> {
    let found: ReturnType<ReadConfiguration>
    try {
      found = read()
    } catch (cause) {
      // Nothing has been touched yet. A file that trips the reader must not end a gateway that works.
      log.error({ cause: causeLine(cause), stack: cause instanceof Error ? cause.stack : undefined }, 'reading failed')
      return { ok: false, why: 'the configuration, or a file that it names, cannot be read at all' }
    }
    const { config: next, materials: nextMaterials, problems } = found
    for (const { path, line, message, severity } of problems)
      log[severity === 'warning' ? 'warn' : 'error']({ key: pathText(path), line }, message)
    if (next === undefined || nextMaterials === undefined) return { ok: false, why: 'the configuration has problems' }
    if (next.state !== house.settled.state) return { ok: false, why: 'the state folder moves only in a restart' }
    try {
      await goOver(next, nextMaterials)
    } catch (cause) {
      return { ok: false, why: causeLine(cause) }
    }
    const keys = restartKeys(house, next)
    if (keys.length > 0) log.warn({ keys }, 'these sections have changed and are heeded only after a restart')
    return { ok: true }
  }

  const opened = open.move()
  return {
    get listeners() {
      return [...entrances.bound, ...admin]
    },
    reload(read) {
      const outcome = turn.then(() => reload(read))
      turn = outcome.catch(() => undefined) // whoever asked is told; the next one starts all the same
      return outcome
    },
    async drain() {
      draining = true
      house.inFlight.endLasting()
      await entrances.drain(current.config.drain)
      await house.audit.record('stop', { kind: 'stop' })
    },
    async [Symbol.asyncDispose]() {
      // The first generation is among what was opened; a later one is not.
      await current[Symbol.asyncDispose]()
      await opened.disposeAsync()
    },
  }
}

/** What lies in the house stays as it was at the start. */
const restartKeys = ({ settled: at }: House, next: Config): readonly string[] =>
  (['state', 'sessions', 'audit', 'admin', 'log'] as const).filter(
    key => JSON.stringify(at[key]) !== JSON.stringify(next[key]),
  )

/** Resolves with the promise, or when patience is over. */
async function settled(ready: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([ready, new Promise<void>(resolve => (timer = setTimeout(resolve, listsPatience)))])
  clearTimeout(timer)
}
