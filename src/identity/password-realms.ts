/**
 * A name and a password in, an Answer out: the throttle, then the realms in their order.
 *
 * A name that is a local account is never looked up in the directory: else whoever may add an entry there could become
 * the gateway's own administrator. To the person "unknown", "wrong" and "locked" are one text and about one time; the
 * detail is for the audit trail. A directory that cannot answer is a Fault, and no other realm is asked instead.
 *
 * Source: OMERO chainedPasswordProvider; RFC 4513 5.1.2 (no empty password); OWASP authentication.
 */
import type { RealmsSection } from '../config/realm.ts'
import { PersonName } from '../config/scalars.ts'
import { takeTurns, takeTurnsByKey } from '../kernel/turns.ts'
import type { Directory } from '../ldap/directory.ts'
import { type Answer, proven, type Refused, refused } from './answer.ts'
import { type LocalAccounts, usablePassword } from './local-accounts.ts'
import type { Throttle } from './throttle.ts'

export interface PasswordCheck {
  /**
   * May throw Fault('directory-unavailable'), ('directory-misconfigured'), ('state-unavailable') and ('overloaded').
   *
   * @param address  the peer's IP address, for the throttle
   */
  verify(name: string, password: string, address: string): Promise<Answer>
}

export interface PasswordRealms {
  readonly provider: RealmsSection['passwordProvider']
  readonly local: Pick<LocalAccounts, 'find' | 'verify'>
  /** Absent: `realms.directory` is not enabled. */
  readonly directory?: Pick<Directory, 'find' | 'checkPassword' | 'groupsOf' | 'pretendToCheck'> | undefined
  readonly throttle: Throttle
}

export function createPasswordCheck({ provider, local, directory, throttle }: PasswordRealms): PasswordCheck {
  // One try at a time for each name: else a hundred guesses are under way before the first has failed.
  const inTurnOf = takeTurnsByKey({ waiting: 16, about: 'many sign-ins under one name' })
  // Local accounts do not wait here: they are for the day on which the directory hangs.
  const inTurn = takeTurns({ atOnce: 16, waiting: 256, about: 'many sign-ins at once' })
  const wrong = (name: string, detail: string): Refused => refused('wrong-credentials', detail, { claimed: name })

  async function askLocal(name: string, password: string): Promise<Answer> {
    const answer = await local.verify(name, password)
    if (answer.kind !== 'right') return wrong(name, `local account: ${answer.kind}`)
    return proven({ name, realm: 'local', groups: new Set(answer.account.groups), proof: { kind: 'password' } })
  }

  async function askDirectory(
    directory: NonNullable<PasswordRealms['directory']>,
    name: string,
    password: string,
  ): Promise<Answer> {
    const found = await directory.find(name)
    if (found.kind === 'not-found') {
      await directory.pretendToCheck()
      return wrong(name, `directory: ${found.why}`)
    }
    const answer = await directory.checkPassword(found.entry, password)
    if (!answer.right) return wrong(name, `directory: ${found.entry.dn}: ${answer.why}`)
    const membership = await directory.groupsOf(found.entry)
    if (membership.kind === 'no-groups') return wrong(name, `directory: ${membership.why}`)
    return proven({
      name: found.entry.name,
      realm: 'directory',
      groups: new Set(membership.groups.map(group => group.name)),
      proof: { kind: 'password' },
    })
  }

  async function ask(name: string, password: string): Promise<Answer> {
    const isLocal = local.find(name) !== undefined
    if (provider === 'local' || (isLocal && provider === 'chained')) return askLocal(name, password)
    if (directory === undefined) {
      if (provider === 'chained') return askLocal(name, password)
      return wrong(name, 'passwords are asked of the directory only, and there is none')
    }
    if (isLocal) return wrong(name, 'a local account, but passwords are asked of the directory only')
    const answer = await inTurn(() => askDirectory(directory, name, password))
    // Hashing once for those who are not local too: else the time tells which names are.
    if (answer.kind === 'refused' && provider === 'chained') await local.verify(name, password)
    return answer
  }

  return {
    async verify(name, password, address) {
      if (!PersonName.safeParse(name).success)
        return refused('wrong-credentials', 'no name, or one that nobody can have')
      if (!usablePassword(password)) return wrong(name, 'an empty or impossible password, asked of nobody')
      return inTurnOf(name, async () => {
        const throttled = await throttle.refusal(name, address)
        if (throttled !== undefined) return throttled
        const answer = await ask(name, password)
        if (answer.kind === 'proven') await throttle.succeeded(name)
        else await throttle.failed(name, address)
        return answer
      })
    },
  }
}
