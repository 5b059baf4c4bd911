/**
 * Who is signed in, and putting them out: in the file of this machine, or in the Redis that gateways share.
 *
 * Not to forget: whoever is put out by a command stands in the audit trail, and where a site wants nothing done that cannot
 * be recorded, nothing is.
 */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { openAuditLog } from '../audit/audit-log.ts'
import { openSessionStore, type Session, type SessionStore } from '../identity/session-store.ts'
import { systemClock } from '../kernel/clock.ts'
import { causeLine } from '../kernel/fault.ts'
import { moment } from './accounts-text.ts'
import { plain } from './certs-text.ts'
import { type Configuration, configFile, requireConfiguration } from './configuration.ts'
import { openConfiguredState, sharedIn } from './configured-state.ts'
import { CommandEnd, type Report } from './report.ts'
import { quoted } from './shell-quote.ts'
import { refuseForeign, refuseForeignOwner } from './state-owner.ts'
import { tableOf } from './table.ts'

export interface SessionsArguments {
  config?: string | undefined
}

export interface RevokeArguments extends SessionsArguments {
  id?: string | undefined
  user?: string | undefined
}

interface OpenSessions extends AsyncDisposable {
  readonly configuration: Configuration | undefined
  /** Undefined: nobody has ever signed in here. */
  readonly store: SessionStore | undefined
  /** Rejects when not everybody was told. */
  settled(): Promise<void>
}

const dayLong = 86_400_000

async function openSessions({ config: named }: SessionsArguments, report: Report): Promise<OpenSessions> {
  const path = configFile(named)
  const configuration = path === undefined ? undefined : requireConfiguration(path, report)
  const shared = sharedIn(configuration)
  if (shared !== undefined) {
    const state = await openConfiguredState(shared, report)
    const { sessions: store, settled } = state
    return { configuration, store, settled, [Symbol.asyncDispose]: () => state[Symbol.asyncDispose]() }
  }
  const section = configuration?.config.sessions.store
  const file = section?.kind === 'sqlite' ? section.file : join(resolve('state'), 'sallyport.db')
  // Also for looking: SQLite writes beside the file whatever it is opened for.
  refuseForeign(file)
  const { idle, absolute } = configuration?.config.sessions ?? { idle: dayLong, absolute: dayLong }
  const store = existsSync(file) ? openSessionStore({ file, idle, absolute, clock: systemClock }) : undefined
  return {
    ...{ configuration, store, settled: async () => undefined },
    [Symbol.asyncDispose]: async () => store?.[Symbol.dispose](),
  }
}

export async function listSessions(argv: SessionsArguments, report: Report): Promise<void> {
  await using opened = await openSessions(argv, report)
  const all = opened.store?.list() ?? []
  if (all.length === 0) report.note('nobody is signed in with a password')
  const rows = all.map(({ id, name, realm, from, createdAt, endsAt }) => [
    ...[id, plain(name), plain(realm), plain(from)],
    ...[moment(createdAt), moment(endsAt)],
  ])
  const text = all.length === 0 ? '' : tableOf([['ID', 'NAME', 'REALM', 'FROM', 'SINCE', 'UNTIL'], ...rows])
  report.result(text, all.map(asValue))
}

export async function revokeSessions({ id, user, ...argv }: RevokeArguments, report: Report): Promise<void> {
  if ((id === undefined) === (user === undefined))
    throw new CommandEnd(2, 'name one session, or a person with --user', 'sallyport sessions list shows them')
  await using opened = await openSessions(argv, report)
  const { store, configuration } = opened
  const chosen = (store?.list() ?? []).filter(session => (id === undefined ? session.name === user : session.id === id))
  if (chosen.length === 0 && id !== undefined)
    throw new CommandEnd(
      1,
      `there is no session ${JSON.stringify(id)}`,
      'sallyport sessions list shows those there are',
    )
  await record(configuration, chosen, report)
  const ended: Session[] = []
  for (const session of chosen) if (await store?.close(session.id)) ended.push(session)
  await opened.settled()

  const of = user === undefined ? '' : ` of ${plain(user)}`
  const count = ended.length === 1 ? 'one session' : `${ended.length === 0 ? 'no' : ended.length} sessions`
  report.result([`${count}${of} ended`, ...ended.map(({ id: one }) => `  ${one}`)].join('\n'), ended.map(asValue))
  if (user !== undefined)
    report.note(`it can be signed in as ${plain(user)} again: sallyport users lock ${quoted(user)} keeps them out`)
}

async function record(configuration: Configuration | undefined, all: readonly Session[], report: Report) {
  if (configuration === undefined || all.length === 0) return
  const { file, onFailure } = configuration.config.audit
  refuseForeignOwner(configuration.config.state)
  await using trail = await openAuditLog({
    ...{ file, onFailure, now: Date.now },
    alarm: cause => report.warn(`the audit trail cannot be written: ${causeLine(cause)}`),
  })
  const detail = `sallyport sessions revoke, by ${userInfo().username}`
  for (const { name, realm } of all)
    await trail.record(randomUUID(), {
      ...{ kind: 'access-ended', who: { name, realm, proof: 'session' } },
      ...{ reason: 'session-revoked', detail },
    })
}

/** For `--json`. */
const asValue = ({ groups, createdAt, lastUsedAt, endsAt, by, ...rest }: Session) => ({
  ...rest,
  groups: [...groups],
  createdAt: new Date(createdAt).toISOString(),
  lastUsedAt: new Date(lastUsedAt).toISOString(),
  endsAt: new Date(endsAt).toISOString(),
})
