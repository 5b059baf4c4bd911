/**
 * The composition root: what is opened, in which order, and how it follows the configuration while it runs.
 *
 *   house         what outlives a reload: state, sessions, audit trail
 *   generation    one state of the configuration at work; a reload builds the next one
 *   entrances     the bound addresses, which stay
 *
 * What is opened later leans only on what was opened earlier, and closing runs backwards. Nothing here decides anything.
 */
import { createChallenges } from './acme/challenges.ts'
import { createStreamRecorder } from './audit/recorder.ts'
import type { Config } from './config/schema.ts'
import { createEntrances } from './entrances.ts'
import { openGeneration } from './generation.ts'
import { type HolderWatch, noteArrival, watchHolders } from './holders.ts'
import { type CrewMember, openHouse, type Surroundings } from './house.ts'
import { descriptorLimit } from './kernel/descriptor-limit.ts'
import { every } from './kernel/every.ts'
import { causeLine, Fault } from './kernel/fault.ts'
import type { Readiness } from './listener/admin-listener.ts'
import { trustedProxies } from './listener/client-address.ts'
import type { Exchange, UpgradeExchange } from './listener/exchange.ts'
import { fitConnections } from './listener/fit-connections.ts'
import type { ChallengeAnswer } from './listener/plain-listener.ts'
import type { Bound } from './listener/secure-listener.ts'
import { createTrouble, readMetrics, updateMetrics } from './monitoring.ts'
import type { Materials } from './preflight.ts'
import { type ReadConfiguration, type Reloaded, readAgain, restartKeys } from './reload.ts'
import type { Measured } from './telemetry/metrics.ts'
import { createTicketSecret } from './tls/tickets.ts'

/** Milliseconds that revocation lists from elsewhere may take before the gateway goes on without them. */
const listsPatience = 10_000

/** A running gateway. Disposing it closes everything at once; `drain` lets what runs finish first. */
export interface Gateway extends AsyncDisposable {
  readonly listeners: readonly Pick<Bound, 'name' | 'urls'>[]
  /**
   * Reads the configuration again and goes over to it. What it still permits runs on; what is wrong changes nothing.
   *
   * @param agree  asked when all is prepared and nothing has changed yet; where it rejects, nothing changes
   */
  reload(read: ReadConfiguration, agree?: () => Promise<void>): Promise<Reloaded>
  /** Stops accepting; resolves when nothing runs any more, or `drain` of the configuration has passed. */
  drain(): Promise<void>
}

export interface GatewayOptions extends Surroundings {
  /** Told when files that belong to the configuration have changed by the gateway's own doing. */
  readonly materialsChanged?: () => void
  /** Of one that is a gateway together with others: what is done once for all of them is done elsewhere. */
  readonly crew?: CrewMember & { readonly challenge: ChallengeAnswer }
}

/** One that answers for itself, to monitors or to the others. */
export interface MonitoredGateway extends Gateway {
  readiness(): Promise<Readiness>
  measure(): Promise<readonly Measured[]>
}

/**
 * Opens everything `config` names and starts to accept connections.
 *
 * If any step fails, whatever was already open is closed again, newest first, before this rejects.
 */
export async function startGateway(
  config: Config,
  materials: Materials,
  options: GatewayOptions,
): Promise<MonitoredGateway> {
  const { log, metrics, clock, crew } = options
  await using open = new AsyncDisposableStack()
  let draining = false
  let holders: HolderWatch | undefined
  const house = open.use(
    await openHouse(config, materials, options, {
      isDraining: () => draining,
      revocationChanged: () => holders?.look(),
    }),
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
    fitConnections(wanted, descriptorLimit(), facts => {
      const words = 'this process may have too few files open (ulimit -n) for all connections: fewer are let in'
      if (crew === undefined || crew.number === 1) log.warn(facts, words)
    })
  const recordStream = createStreamRecorder({ ...house, onFailure: house.settled.audit.onFailure })
  const readiness = () => current.readiness()
  const tickets = crew?.tickets ?? open.use(createTicketSecret())
  const challenges = createChallenges()
  const duties =
    crew === undefined
      ? open.use(
          // What a worker does not do it does not load either.
          (await import('./duties.ts')).openDuties({
            ...{ log, metrics, clock, settled: house.settled, audit: house.audit, challenges },
            renewed: () => options.materialsChanged?.(),
            answers: {
              readiness,
              metrics: () => readMetrics(house, current),
            },
          }),
        )
      : undefined
  const entrances = open.use(
    createEntrances({
      challenge: crew?.challenge ?? challenges.answer,
      listenerEvents: {
        exchange: begin,
        upgrade: begin,
        trouble,
        isProxy,
        tickets,
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
        tickets,
        metrics,
        log,
        now: () => clock.now(),
      }),
    }),
  )
  await entrances.follow(fitting(config), materials)
  holders = open.use(watchHolders({ house, entrances, current: () => current }))
  await duties?.begin(materials)
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
  async function goOver(next: Config, nextMaterials: Materials, agree: () => Promise<void>): Promise<void> {
    const generation = await openGeneration(next, nextMaterials, house)
    await settled(generation.listsReady)
    const former = current
    try {
      await entrances.follow(fitting(next), nextMaterials, {
        agree,
        change() {
          current = generation
          trusts = trustedProxies(next.trustedProxies)
        },
      })
    } catch (cause) {
      await generation[Symbol.asyncDispose]()
      throw cause
    }
    house.inFlight.judgeBy(current.judge)
    former.retire()
    duties?.follow(nextMaterials)
    holders?.look()
  }
  async function attempt(read: ReadConfiguration, agree: () => Promise<void>): Promise<Reloaded> {
    const found = readAgain(read, house.settled, log)
    if ('why' in found) return { ok: false, why: found.why }
    try {
      await goOver(found.config, found.materials, agree)
    } catch (cause) {
      return { ok: false, why: causeLine(cause) }
    }
    const keys = crew === undefined ? restartKeys(house.settled, found.config) : []
    if (keys.length > 0) log.warn({ keys }, 'these sections have changed and are heeded only after a restart')
    return { ok: true }
  }
  async function reload(read: ReadConfiguration, agree: () => Promise<void>): Promise<Reloaded> {
    const outcome = await attempt(read, agree)
    await duties?.reloaded(outcome)
    return outcome
  }

  const opened = open.move()
  return {
    get listeners() {
      return [...entrances.bound, ...(duties?.listeners ?? [])]
    },
    readiness,
    measure() {
      updateMetrics(house, current)
      return metrics.registry.getMetricsAsJSON()
    },
    reload(read, agree = async () => undefined) {
      const outcome = turn.then(() => reload(read, agree))
      turn = outcome.catch(() => undefined) // whoever asked is told; the next one starts all the same
      return outcome
    },
    async drain() {
      draining = true
      house.inFlight.endLasting()
      await entrances.drain(current.config.drain)
      await duties?.end()
    },
    async [Symbol.asyncDispose]() {
      // The first generation is among what was opened; a later one is not.
      await current[Symbol.asyncDispose]()
      await opened.disposeAsync()
    },
  }
}

/** Resolves with the promise, or when patience is over. */
async function settled(ready: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([ready, new Promise<void>(resolve => (timer = setTimeout(resolve, listsPatience)))])
  clearTimeout(timer)
}
