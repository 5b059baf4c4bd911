/**
 * What monitors are told: metrics that are read when they are asked for, and the certificates whose end is watched.
 */
import type { X509Certificate } from 'node:crypto'
import type { Generation } from './generation.ts'
import type { House } from './house.ts'

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

export async function readMetrics(
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
  for (const [upstream, { health }] of upstreams)
    if (health.state !== 'unknown') metrics.upstreamUp.set({ upstream }, health.state === 'up' ? 1 : 0)
  return { type: metrics.registry.contentType, text: await metrics.registry.metrics() }
}
