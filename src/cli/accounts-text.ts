/**
 * An account of the directory as lines to read. What the directory says may hold anything, so nothing in it reaches a
 * terminal as a control character.
 */
import type { AccountGroup, DirectoryAccount } from '../identity/directory-account.ts'
import { plain } from './certs-text.ts'

/** `radiology (owner), teachers (local)`: what is said of a group is what is unusual about it. */
export function groupsText(groups: readonly AccountGroup[]): string {
  if (groups.length === 0) return 'none'
  return groups
    .map(({ name, source, owner }) => {
      const marks = [...(source === 'local' ? ['local'] : []), ...(owner ? ['owner'] : [])]
      return marks.length === 0 ? plain(name) : `${plain(name)} (${marks.join(', ')})`
    })
    .join(', ')
}

export const moment = (at: number | undefined): string =>
  at === undefined ? 'never' : `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`

export const stateText = ({ locked }: Pick<DirectoryAccount, 'locked'>): string => (locked ? 'locked' : 'open')

/** Where an entry stands, and by what it is known again. */
export const entryLines = (label: string, { dn, id }: { readonly dn: string; readonly id: string | undefined }) => [
  `  ${label.padEnd(9)} ${plain(dn)}`,
  `  ${''.padEnd(9)} ${id === undefined ? 'no id: known again by its DN only' : plain(id)}`,
]

export function accountLines(account: DirectoryAccount, dormant: string | undefined): string[] {
  const { name, dn, entryId: id, particulars, groups, createdAt, lastLoginAt } = account
  const { firstName, middleName, lastName, email, institution } = particulars
  const full = [firstName, middleName, lastName].filter(part => part !== undefined).join(' ')
  const line = (label: string, text: string | undefined) =>
    text === undefined || text === '' ? [] : [`  ${label.padEnd(9)} ${plain(text)}`]
  return [
    `account ${plain(name)}, of the directory, ${stateText(account)}`,
    ...entryLines('entry', { dn, id }),
    ...line('name', full),
    ...line('mail', email),
    ...line('at', institution),
    `  groups    ${groupsText(groups)}`,
    `  made      ${moment(createdAt)}`,
    `  sign-in   ${moment(lastLoginAt)}`,
    `  dormant   ${dormant ?? 'no local account of this name'}`,
  ]
}
