/**
 * The accounts of people of the directory, and users.yaml, for several gateways: both stand in Redis, and every gateway has a
 * copy (redis/replica.ts).
 *
 * A change is written only over what it was made from, and made again where somebody was faster. Not to forget: a record that
 * cannot be read is a fault, never "no account": whoever is locked would come in as somebody new.
 */
import { z } from 'zod'
import { PersonName } from '../config/scalars.ts'
import { Fault } from '../kernel/fault.ts'
import type { Replica } from '../redis/replica.ts'
import { type AccountSource, formatAccounts, parseAccounts } from './account-file.ts'
import type { DirectoryAccount, DirectoryAccounts } from './directory-account.ts'
import { assertName, Groups, Particulars, versionOf } from './directory-accounts.ts'

const Written = z.strictObject({
  name: PersonName,
  dn: z.string(),
  entryId: z.string().optional(),
  particulars: Particulars,
  groups: Groups,
  locked: z.boolean(),
  createdAt: z.int(),
  lastLoginAt: z.int().optional(),
})

/** Others that change the same at the same time. */
const mostTries = 20

export function openSharedAccounts(replica: Replica): DirectoryAccounts {
  const known = new Map<string, DirectoryAccount | Fault>()
  replica.onChange('accounts', (name, text) => {
    if (text === undefined) known.delete(name)
    else known.set(name, read(name, text))
  })
  const find = (name: string): DirectoryAccount | undefined => {
    const account = known.get(name)
    if (account instanceof Fault) throw account
    return account
  }
  return {
    find,
    lately: find,
    list: () =>
      [...known.keys()]
        .toSorted()
        .map(find)
        .filter(account => account !== undefined),
    version(name) {
      const account = find(name)
      return account && versionOf(account)
    },
    async add(account) {
      assertName(account.name)
      if (await replica.swap('accounts', account.name, undefined, JSON.stringify(Written.parse(account)))) return true
      // Somebody was faster, and what they wrote comes in a moment.
      await replica.refresh('accounts', account.name)
      return false
    },
    update: (name, changed) =>
      changing(replica, 'accounts', name, text => {
        const account = text === undefined ? undefined : read(name, text)
        if (account instanceof Fault) throw account
        if (account === undefined) return undefined
        return JSON.stringify(Written.parse({ ...account, ...changed, name, createdAt: account.createdAt }))
      }),
    remove: name => replica.drop('accounts', name),
    [Symbol.dispose]: () => undefined,
  }
}

/** The text of users.yaml, in Redis. */
export function sharedAccountText(replica: Replica, place: string): AccountSource {
  const field = 'users'
  return {
    place,
    read(known) {
      const text = replica.get('texts', field) ?? ''
      return known?.stamp === text ? known : { accounts: parseAccounts(text, place), stamp: text }
    },
    change: change =>
      changing(replica, 'texts', field, text => {
        const changed = change(parseAccounts(text ?? '', place))
        return changed && formatAccounts(changed)
      }),
  }
}

/** @param change  gives undefined to leave it as it is */
async function changing(
  replica: Replica,
  hash: 'accounts' | 'texts',
  field: string,
  change: (text: string | undefined) => string | undefined,
): Promise<boolean> {
  for (let tries = 0; tries < mostTries; tries++) {
    const before = replica.get(hash, field)
    const after = change(before)
    if (after === undefined) return false
    // Written as it is already: nobody need be told.
    if (after === before || (await replica.swap(hash, field, before, after))) return true
    // Somebody was faster, and what they wrote comes in a moment.
    await replica.refresh(hash, field)
  }
  throw new Fault('state-unavailable', { about: `${field}: others change it all the time` })
}

function read(name: string, text: string): DirectoryAccount | Fault {
  try {
    const { entryId, lastLoginAt, ...rest } = Written.parse(JSON.parse(text))
    if (rest.name !== name) throw new Error('it stands under another name')
    return { ...rest, entryId, lastLoginAt }
  } catch (cause) {
    return new Fault('state-unavailable', { cause, about: `the account of ${JSON.stringify(name)} is damaged` })
  }
}
