/**
 * What outlives a reload: the state on the disk, the memory of who is in, the audit trail, connections to upstreams.
 */
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type AccessLog, createAccessLog } from './audit/access-log.ts'
import { type AuditLog, openAuditLog } from './audit/audit-log.ts'
import type { AuditEvent } from './audit/event.ts'
import { createNoteworthy, type Noteworthy } from './audit/noteworthy.ts'
import type { Config } from './config/schema.ts'
import { createInFlight, type InFlight, type InFlightOptions } from './forward/in-flight.ts'
import type { DirectoryAccounts } from './identity/directory-account.ts'
import type { FailureCounts } from './identity/failure-counts.ts'
import type { VerdictMemory } from './identity/remembered-verdicts.ts'
import type { SessionStore } from './identity/session-store.ts'
import type { Ledger } from './issuer/ledger.ts'
import type { Clock } from './kernel/clock.ts'
import { causeLine, Fault } from './kernel/fault.ts'
import { createLeases, type Leases } from './kernel/lease.ts'
import type { News } from './kernel/news.ts'
import type { Materials } from './preflight.ts'
import { type Settled, settledOf } from './reload.ts'
import { openState, type State } from './state.ts'
import type { Log } from './telemetry/log.ts'
import type { Metrics } from './telemetry/metrics.ts'
import type { Revocation, RevocationParts } from './tls/revocation.ts'
import type { TicketSecret } from './tls/tickets.ts'
import type { Upstream } from './upstream/upstream.ts'

export interface Surroundings {
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  /** Absent: it is the only one. */
  readonly crew?: CrewMember
}

/** One of several processes that are a gateway together. */
export interface CrewMember {
  /** From 1. */
  readonly number: number
  /** Of how many. */
  readonly of: number
  /** Of all of them. */
  readonly audit: AuditLog
  readonly news: News
  readonly tickets: TicketSecret
}

export interface House extends Surroundings, AsyncDisposable {
  /** As it was at the start: where state, sessions and audit trail lie stays until a restart. */
  readonly settled: Settled
  readonly audit: AuditLog
  readonly sessions: SessionStore
  /** Of people of the directory. */
  readonly accounts: DirectoryAccounts
  readonly ledger: Ledger
  /** Of the state; and where local accounts stand. */
  readonly kept: Pick<State, 'localAccounts' | 'trouble'>
  readonly inFlight: InFlight
  readonly failures: FailureCounts
  readonly noteworthy: Noteworthy
  readonly access: AccessLog
  readonly upstreams: Leases<Upstream>
  readonly revocations: Leases<Revocation>
  readonly revocationParts: RevocationParts
  /** Connections whose certificate was accepted: those that a revocation must reach. */
  readonly holders: WeakSet<object>
  /** Connections of streams that were let through: those that new rules must reach. */
  readonly streaming: WeakSet<object>
  /** Milliseconds between two looks at who is due to be asked for in the directory. */
  readonly recheckLook: number
  /** Absent where there are no others. */
  readonly news: News | undefined
  /** Whose sessions this process holds against the directory. */
  isMine(name: string): boolean
  /** What the directory said of people; another directory has another memory. */
  readonly verdicts: Leases<VerdictMemory>
  /** Asks all those connections now. */
  lookAtHolders(): void
  /** For what has been done already: a line that cannot be written has raised its alarm, and changes nothing any more. */
  note(id: string, event: AuditEvent): Promise<void>
  /** For events that the portal tells. */
  recordOwn(id: string, event: AuditEvent): Promise<void>
  isDraining(): boolean
}

export interface HouseEvents {
  isDraining(): boolean
  revocationChanged(): void
}

/** The audit trail, in a state folder that is made where there is none. */
export function openTrail(
  { state, audit }: Pick<Config, 'state' | 'audit'>,
  { log, metrics, clock }: Pick<Surroundings, 'log' | 'metrics' | 'clock'>,
): Promise<AuditLog> {
  mkdirSync(state, { recursive: true, mode: 0o700 })
  return openAuditLog({
    ...audit,
    now: () => clock.now(),
    alarm(cause) {
      metrics.auditFailures.inc()
      log.error({ cause: causeLine(cause) }, 'the audit trail cannot be written')
    },
  })
}

/** Each name is somebody's, always the same one's. */
const isMineOf =
  (crew: CrewMember | undefined): House['isMine'] =>
  name =>
    crew === undefined || createHash('sha256').update(name).digest().readUInt32BE() % crew.of === crew.number - 1

export async function openHouse(
  config: Config,
  { store }: Pick<Materials, 'store'>,
  surroundings: Surroundings,
  events: HouseEvents,
): Promise<House> {
  const { log, metrics, clock } = surroundings
  await using open = new AsyncDisposableStack()
  const now = () => clock.now()
  const { state, sessions: remembered } = config

  const audit = open.use(surroundings.crew?.audit ?? (await openTrail(config, surroundings)))
  const kept = open.use(
    await openState({
      ...{ config, clock, store, news: surroundings.crew?.news },
      changed(fault) {
        metrics.stateUp.set(fault === undefined ? 1 : 0)
        if (fault === undefined) log.info({}, 'the state is there again')
        else log.warn({ cause: causeLine(fault) }, 'the state is away: who is signed in goes on, nobody signs in')
      },
    }),
  )
  metrics.stateUp.set(1)
  const { sessions, accounts, ledger, failures } = kept
  const noteworthy = createNoteworthy(now)
  const note: House['note'] = async (id, event) => {
    await audit.record(id, event).catch((fault: unknown) => {
      if (!(fault instanceof Fault)) throw fault
    })
  }
  const barred: InFlightOptions['barred'] = (principal, reason, { exchange, permit }) => {
    const facts = { id: exchange.id, user: principal?.name, reason, route: permit.route.label }
    log.info(facts, 'what ran for somebody was ended: it would not be permitted now')
    if (principal === undefined) return
    const { name, realm, proof } = principal
    const detail = `what ran on ${permit.route.label} would not be permitted now`
    void note(exchange.id, { kind: 'access-ended', who: { name, realm, proof: proof.kind }, reason, detail })
  }
  const inFlight = open.use(createInFlight({ sessions, idle: remembered.idle, barred }))

  const opened = open.move()
  return {
    log,
    metrics,
    clock,
    settled: settledOf(config),
    audit,
    sessions,
    accounts,
    ledger,
    kept,
    inFlight,
    failures,
    noteworthy,
    access: createAccessLog(log, metrics, now),
    upstreams: createLeases(),
    revocations: createLeases(),
    revocationParts: {
      now,
      cacheDir: join(state, 'revocation-lists'),
      tell: (level, facts, message) => log[level](facts, message),
      onChange: events.revocationChanged,
    },
    holders: new WeakSet(),
    streaming: new WeakSet(),
    recheckLook: Math.min(4_000, remembered.recheck / 2),
    verdicts: createLeases(),
    isMine: isMineOf(surroundings.crew),
    news: surroundings.crew?.news,
    lookAtHolders: events.revocationChanged,
    note,
    async recordOwn(id, event) {
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
    isDraining: events.isDraining,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
