/**
 * A person as the directory knows them, and what it answers about them: types only, and the brand of an entry.
 *
 * Not to forget: only an entry that the directory returned can be bound, so only `Directory` makes a PersonEntry.
 */
import type { Entry } from './entry.ts'

export const brand: unique symbol = Symbol('found in the directory')

/** As the directory spells them; absent: it says nothing. Source: OMERO `omero.ldap.user_mapping`. */
export interface Particulars {
  readonly firstName?: string
  readonly middleName?: string
  readonly lastName?: string
  readonly email?: string
  readonly institution?: string
}

export interface PersonEntry extends Entry {
  readonly [brand]: true
  /** The value in the directory that matched what was asked for; in small letters with `ignoreCase`. */
  readonly name: string
  /** `entryUUID:…` or `objectGUID:…`: stays with the entry when it is renamed. Undefined: the directory has neither. */
  readonly id: string | undefined
  readonly particulars: Particulars
  /** Why nobody may come in as this entry: disabled, expired. Undefined: nothing speaks against it. */
  readonly closed: string | undefined
  /** Why it is locked by failed tries. Counts where no bind tells: a right password may have ended the lock. */
  readonly locked: string | undefined
}

export type Finding =
  | { readonly kind: 'found'; readonly entry: PersonEntry }
  /** `why` is for the audit trail: nobody, several, or one whose name is spelt otherwise. */
  | { readonly kind: 'not-found'; readonly why: string }

/** What a person should know although the password was right. Source: draft-behera-ldap-password-policy-10 6.2. */
export interface PasswordNotice {
  /** Seconds until the password ends. */
  readonly expiresIn?: number
  /** It has ended already: how many more sign-ins there are. */
  readonly graceLeft?: number
}

export type PasswordAnswer =
  | { readonly right: true; readonly notice?: PasswordNotice }
  | {
      readonly right: false
      /** `expired`, `must-change`: told only of a right password, so the person may know. All else looks alike. */
      readonly reason: 'wrong' | 'expired' | 'must-change'
      /** For the audit trail. */
      readonly why: string
    }

export interface DirectoryGroup {
  readonly name: string
  readonly owner: boolean
}

export type GroupsAnswer =
  /** At least one, each name once, in the order of the directory. */
  | {
      readonly kind: 'groups'
      readonly groups: readonly DirectoryGroup[]
      /** Values that name no group, each with the reason, for whoever looks after the settings. */
      readonly skipped?: readonly string[]
    }
  | { readonly kind: 'no-groups'; readonly why: string }
