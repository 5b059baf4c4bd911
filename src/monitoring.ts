/**
 * What monitors are told: what clients do wrong, metrics that are read when they are asked for, and the certificates
 * whose end is watched.
 */
import type { X509Certificate } from 'node:crypto'
import { createMemory } from './audit/noteworthy.ts'
import type { Generation } from './generation.ts'
import type { House } from './house.ts'

/** Who is shut out, or shuts others out, may be anybody: that is for operators to see, once a minute. */
const toldOperators: Readonly<Record<string, string>> = {
  crowded: 'connections are many, and not all find room',
  full: 'connections are many, and not all find room',
  'let-go': 'connections are many, and not all find room',
  'no-proxy': 'connections come past the proxies that announce clients (proxyProtocol: v2), and are refused',
  'proxy-header': 'a trusted proxy does not say for whom it connects (proxyProtocol: v2), and its connections are cut',
  flood: 'connections are ended that cost more than their requests are worth',
}

/** Counts what clients do wrong. */
export function createTrouble({ metrics, log, clock }: Pick<House, 'metrics' | 'log' | 'clock'>) {
  const told = createMemory(60_000, () => clock.now())
  return (listener: string, kind: string, address: string, detail: string) => {
    metrics.trouble.inc({ listener, kind })
    const words = toldOperators[kind]
    if (words !== undefined && told.isNew(`${listener} ${kind}`)) log.warn({ listener, kind, address, detail }, words)
    log.debug({ listener, kind, address, detail }, 'client trouble')
  }
}

/** Ours, with what is sent behind them, and the authorities that clients are held against. */
export function* certificatesIn({
  materials,
}: Pick<Generation, 'materials'>): Generator<readonly [string, X509Certificate]> {
  for (const kind of ['listeners', 'streams'] as const) {
    for (const [name, { keystores, truststore }] of materials[kind]) {
      for (const { certificate, chain } of keystores)
        for (const one of [certificate, ...chain]) yield [`the keystore of ${kind}.${name}`, one]
      for (const one of truststore?.authorities.values() ?? []) yield [`the truststore of ${kind}.${name}`, one]
    }
  }
}

/** Those that are looked up when somebody asks. */
export function updateMetrics(
  { metrics, clock }: Pick<House, 'metrics' | 'clock'>,
  { materials, upstreams, lists }: Pick<Generation, 'materials' | 'upstreams' | 'lists'>,
) {
  const now = clock.now()
  for (const [listener, { keystores }] of [...materials.listeners, ...materials.streams]) {
    const ends = keystores.map(({ certificate }) => certificate.validToDate.getTime())
    if (ends.length > 0) metrics.certificateExpiry.set({ listener }, (Math.min(...ends) - now) / 1000)
  }
  for (const [listener, revocation] of lists) {
    const ends = revocation.state().map(({ nextUpdate }) => nextUpdate?.getTime())
    // One that has not come, or does not say when it ends, counts as ended: it is the one to look at.
    const soonest = Math.min(...ends.map(end => end ?? now))
    metrics.revocationListExpiry.set({ listener }, (soonest - now) / 1000)
  }
  for (const [upstream, { health, servers }] of upstreams) {
    if (health.state !== 'unknown') metrics.upstreamUp.set({ upstream }, health.state === 'up' ? 1 : 0)
    for (const { number, isOut } of servers.length > 1 ? servers : [])
      metrics.serverInService.set({ upstream, server: String(number) }, isOut ? 0 : 1)
  }
}

export async function readMetrics(
  house: Pick<House, 'metrics' | 'clock'>,
  current: Parameters<typeof updateMetrics>[1],
) {
  updateMetrics(house, current)
  const { registry } = house.metrics
  return { type: registry.contentType, text: await registry.metrics() }
}
