/**
 * Everybody who is in by the word of the directory: holders of certificates and open sessions, held to what it says now.
 *
 * What it said is acted on in one place, however it came to be asked: a request, a look at open connections, or the look
 * at open sessions. Not to forget: a session and a certificate of one name are one person, asked once.
 */
import type { RealmsSection } from '../config/realm.ts'
import type { Fault } from '../kernel/fault.ts'
import {
  createRecheck,
  followVerdict,
  type RecheckParts,
  type RunningByPassword,
  type SessionsParts,
} from './directory-recheck.ts'
import { createVerdictOf, type Out, type Verdict, type VerdictParts } from './directory-verdict.ts'
import { createVerdicts, type VerdictMemory, type Verdicts, type VerdictsParts } from './remembered-verdicts.ts'

export interface DirectoryPeople {
  readonly verdicts: Verdicts
  /** Asks for whoever is due. May throw Fault('state-unavailable') */
  recheck(): void
}

export interface DirectoryPeopleParts
  extends Pick<VerdictParts, 'directory' | 'accounts' | 'local' | 'now'>,
    Pick<RecheckParts, 'recheck' | 'lookEvery' | 'isMine'> {
  /** What is looked at for each request. */
  readonly recent: Pick<VerdictsParts, 'accounts' | 'local'>
  readonly sessions: RecheckParts['sessions'] & SessionsParts['sessions']
  readonly running: RunningByPassword
  readonly realms: Pick<RealmsSection, 'directory' | 'passwordProvider'>
  readonly administrators: readonly string[]
  readonly memory: VerdictMemory
  /** Told of whoever was in and is not any more. */
  readonly putOut: (name: string, held: 'session' | 'password' | 'certificate', verdict: Out) => void
  /** Told once for each outage. */
  readonly silent: (fault: Fault) => void
}

export function createDirectoryPeople(parts: DirectoryPeopleParts): DirectoryPeople {
  const { accounts, local, sessions, running, realms, recheck, lookEvery, isMine, now, putOut } = parts
  const { syncOnLogin, allowReserved } = realms.directory
  const followed = (name: string, verdict: Verdict) =>
    followVerdict(name, verdict, { sessions, running, ended: putOut })
  const verdicts = createVerdicts({
    ...{ ...parts.recent, recheck, now, memory: parts.memory, silent: parts.silent },
    ask: createVerdictOf({
      ...{ directory: parts.directory, accounts, local, syncOnLogin, now },
      provider: realms.passwordProvider,
      reserved: { administrators: parts.administrators, allowed: allowReserved },
    }),
    answered(name, verdict, wasHolder) {
      followed(name, verdict)
      if (wasHolder && verdict.kind === 'out') putOut(name, 'certificate', verdict)
    },
  })
  return {
    verdicts,
    recheck: createRecheck({
      verdicts,
      sessions,
      running,
      accounts,
      recheck,
      lookEvery,
      isMine,
      now,
      answered: followed,
    }),
  }
}

/** The same as long as what is remembered of people still means the same people. */
export const memoryKey = (realms: RealmsSection, administrators: readonly string[]): string =>
  JSON.stringify([realms.directory, realms.passwordProvider, realms.ignoreCase, administrators], (_, value: unknown) =>
    value instanceof Map ? [...value] : value,
  )
