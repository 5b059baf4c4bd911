/**
 * What is done once, however many processes a gateway is made of: ACME orders, warnings before certificates end, health
 * and metrics, and the events of the gateway itself in the audit trail.
 */
import type { Challenges } from './acme/challenges.ts'
import { acmeDir } from './acme/keystore-file.ts'
import { createSupplies } from './acme/supplies.ts'
import type { AuditLog } from './audit/audit-log.ts'
import type { Config } from './config/schema.ts'
import type { Surroundings } from './house.ts'
import { every } from './kernel/every.ts'
import { Fault } from './kernel/fault.ts'
import { type AdminAnswers, listenAdmin } from './listener/admin-listener.ts'
import type { Bound } from './listener/secure-listener.ts'
import { certificatesIn } from './monitoring.ts'
import type { Materials } from './preflight.ts'
import type { Reloaded } from './reload.ts'
import { createExpiryWatch } from './tls/expiry.ts'

/** Milliseconds between two looks at how soon certificates end. */
const expiryLook = 3_600_000

export interface Duties extends AsyncDisposable {
  /** Where health and metrics are. */
  readonly listeners: readonly Bound[]
  /** The gateway serves. */
  begin(materials: Materials): Promise<void>
  /** It goes on with these. */
  follow(materials: Materials): void
  reloaded(outcome: Reloaded): Promise<void>
  /** Nothing runs any more. */
  end(): Promise<void>
}

export interface DutyParts extends Pick<Surroundings, 'log' | 'metrics' | 'clock'> {
  /** As it was at the start. */
  readonly settled: Pick<Config, 'state' | 'admin'>
  readonly audit: Pick<AuditLog, 'record'>
  readonly challenges: Pick<Challenges, 'set' | 'delete'>
  /** A new certificate has come. */
  readonly renewed: () => void
  readonly answers: AdminAnswers
}

export function openDuties(parts: DutyParts): Duties {
  const { settled, audit, challenges, renewed, answers, log, metrics, clock } = parts
  const open = new AsyncDisposableStack()
  const listeners: Bound[] = []
  const supplies = open.use(
    createSupplies({
      ...{ dir: acmeDir(settled.state), now: () => clock.now(), challenges, renewed },
      tell: (level, facts, message) => log[level](facts, message),
    }),
  )
  const expiry = createExpiryWatch(
    (level, facts, message) => log[level](facts, message),
    () => clock.now(),
  )
  let current: Materials
  const follow = (materials: Materials) => {
    current = materials
    supplies.follow(materials.acme)
    expiry.look(certificatesIn({ materials }))
  }
  return {
    listeners,
    follow,
    async begin(materials) {
      follow(materials)
      open.use(every(expiryLook, () => expiry.look(certificatesIn({ materials: current }))))
      if (settled.admin !== undefined) listeners.push(open.use(await listenAdmin(settled.admin.bind, answers)))
      metrics.configurationCurrent.set(1)
      await audit.record('start', { kind: 'start' })
    },
    async reloaded(outcome) {
      metrics.reloads.inc({ outcome: outcome.ok ? 'taken' : 'refused' })
      metrics.configurationCurrent.set(outcome.ok ? 1 : 0)
      try {
        await audit.record('reload', { kind: 'reload', ...(outcome.ok ? {} : { refused: outcome.why }) })
      } catch (fault) {
        if (!(fault instanceof Fault)) throw fault // it was done, and the alarm has been raised
      }
    },
    end: async () => void (await audit.record('stop', { kind: 'stop' })),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}
