/**
 * What the gateway itself knows of a name, and what its settings mean for it: account, entry, lock, groups of our own.
 */
import type { Config } from '../config/schema.ts'
import { isSameEntry } from '../identity/directory-admission.ts'
import { groupsText, moment } from './accounts-text.ts'
import type { Examined } from './ldap-examine.ts'
import { quoted } from './shell-quote.ts'

type Line = readonly [label: string, text: string]

export function standingLines(
  { name, entry, account, local, byCertificate }: Omit<Examined, 'servers' | 'remarks'>,
  { realms }: Pick<Config, 'realms'>,
): Line[] {
  const providerLine: Line = [
    'provider',
    `passwordProvider: ${realms.passwordProvider}: ${providers[realms.passwordProvider]}`,
  ]
  if (account === undefined && local !== undefined)
    return [
      ['account', `a local account of this name${local.locked ? ', locked' : ''}: the directory is never asked for it`],
      ['', `to hand it over to the directory: sallyport accounts link ${quoted(name)}`],
      providerLine,
    ]
  const lines: Line[] =
    account === undefined
      ? [['account', entry === undefined ? 'none' : 'none yet: the first sign-in makes it']]
      : [
          ['account', `known since ${moment(account.createdAt)}, last sign-in ${moment(account.lastLoginAt)}`],
          ...(account.locked
            ? [['', `locked here: nobody comes in with it (sallyport users unlock ${quoted(name)})`] as const]
            : []),
          ['entry', entryText(account, entry, name)],
          ['groups', `${groupsText(account.groups)}, as they stand here now`],
          ...(local === undefined ? [] : [['', 'the local account of this name lies dormant'] as const]),
        ]
  const certificate: Line[] = byCertificate === undefined ? [] : [['certificate', holderText(byCertificate)]]
  return [...lines, providerLine, ['sync', syncText(realms, account !== undefined)], ...certificate]
}

function entryText(account: NonNullable<Examined['account']>, entry: Examined['entry'], name: string): string {
  if (entry === undefined) return `linked to ${account.dn}`
  if (isSameEntry(account, entry)) return `linked to this entry (${account.dn})`
  return `linked to ANOTHER entry, ${account.dn}; if both are one person: sallyport accounts link ${quoted(name)}`
}

const providers: Readonly<Record<Config['realms']['passwordProvider'], string>> = {
  chained: 'local accounts come in by their own password, everybody else by the directory',
  chained431:
    'as chained, and userFilter is asked at the first sign-in only; then the entry that is remembered signs in',
  directory: 'only people of the directory come in',
  local: 'only local accounts come in, nobody of the directory',
}

function syncText({ directory, passwordProvider }: Config['realms'], isKnown: boolean): string {
  if (passwordProvider === 'chained431')
    return 'chained431: groups and particulars stay as they were at the first sign-in, whatever syncOnLogin says'
  if (directory.syncOnLogin) return 'syncOnLogin: true: groups and particulars are taken anew at each sign-in'
  return `syncOnLogin: false: groups and particulars ${isKnown ? 'stay' : 'will stay'} as they ${isKnown ? 'were' : 'are'} at the first sign-in`
}

function holderText(decision: NonNullable<Examined['byCertificate']>): string {
  switch (decision.outcome) {
    case 'let-in':
      return `who holds a certificate of this name is let in with groups: ${decision.groups.join(', ')}`
    case 'refused':
      return `who holds a certificate of this name is refused: ${decision.why}`
    case 'unavailable':
      return 'who holds a certificate of this name cannot be looked up: the directory does not answer'
  }
}
