/**
 * Makes a PersonEntry of an entry: which name counts, by what the entry is known again, what it says of the person.
 *
 * Source: OMERO `omero.ldap.user_mapping`; RFC 4530 (entryUUID); MS-ADTS 3.1.1.1.4 (objectGUID).
 */
import { foldName } from '../kernel/fold-name.ts'
import { closedReason, lockedReason } from './account-state.ts'
import { guidText } from './active-directory.ts'
import type { DirectoryPlan } from './directory-plan.ts'
import { bytesOf, type Entry, valuesOf } from './entry.ts'
import { brand, type Particulars, type PersonEntry } from './person.ts'

export interface PersonTerms {
  readonly plan: Pick<DirectoryPlan, 'nameAttribute' | 'userMapping'>
  readonly ignoreCase: boolean
  /** Milliseconds since 1970. */
  readonly now: number
}

/**
 * The value of the entry that is meant by `asked`, as it becomes the person's name; undefined: it spells it otherwise.
 * A directory compares without case and folds blanks; rules compare exactly.
 */
export function nameIn(entry: Entry, asked: string, { plan, ignoreCase }: PersonTerms): string | undefined {
  const values = valuesOf(entry, plan.nameAttribute)
  if (!ignoreCase) return values.includes(asked) ? asked : undefined
  return values.some(value => foldName(value) === foldName(asked)) ? foldName(asked) : undefined
}

export function personEntry(entry: Entry, name: string, { plan, now }: PersonTerms): PersonEntry {
  return {
    ...entry,
    name,
    id: idOf(entry),
    particulars: particularsOf(entry, plan.userMapping),
    closed: closedReason(entry, now),
    locked: lockedReason(entry),
    [brand]: true,
  }
}

function idOf(entry: Entry): string | undefined {
  // An empty one would make one person of all who have it.
  const [uuid = ''] = valuesOf(entry, 'entryUUID')
  if (uuid.trim() !== '') return `entryUUID:${uuid.toLowerCase()}`
  const [guid] = bytesOf(entry, 'objectGUID')
  const text = guid && guidText(guid)
  if (text !== undefined) return `objectGUID:${text}`
  const [unique = ''] = valuesOf(entry, 'nsUniqueId')
  return unique.trim() === '' ? undefined : `nsUniqueId:${unique.toLowerCase()}`
}

const particularKeys = ['firstName', 'middleName', 'lastName', 'email', 'institution'] as const

function particularsOf(entry: Entry, mapping: ReadonlyMap<string, string>): Particulars {
  const said = particularKeys.flatMap(key => {
    const attribute = mapping.get(key)
    const [value] = attribute === undefined ? [] : valuesOf(entry, attribute)
    // Shown to people and kept for long: one line of a bounded length.
    const text = value
      ?.replace(/\p{Cc}+/gu, ' ')
      .trim()
      .slice(0, 256)
    return text === undefined || text === '' ? [] : [[key, text] as const]
  })
  return Object.fromEntries(said)
}
