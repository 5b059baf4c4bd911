/**
 * Settings of OMERO, asked for by name and kind. What is not what OMERO takes there is told once, and counts as unclear.
 *
 * Each that is asked for counts as looked at, so that the rest can be listed at the end.
 * Not to forget: values are not told, any of them may be a password; and what is unclear must never open a door.
 *
 * Source: Spring CustomBooleanEditor (which words are true), omero-py prefs.py (how a password is masked).
 */
import type { Place, Tell } from './decision.ts'
import { optionOf } from './omero-command.ts'

export interface Property {
  /** Undefined: it is set, and it was told why the value is not known. */
  readonly value: string | undefined
  readonly file: string
  /** 1-based. */
  readonly line: number
  /** It can be read in two ways. */
  readonly isDoubtful?: boolean
}

/** Stands for settings that a command changes out of sight; no property is called so. */
export const elsewhere = 'omero config'

/** `masked`: "omero config get" printed stars in its place. */
export type SecretState = 'absent' | 'empty' | 'masked' | 'written'

export interface OmeroSettings {
  place(key: string): Place
  has(key: string): boolean
  /** Without blanks around it. Undefined where it is not written, or not known. */
  text(key: string): string | undefined
  /** @param absent  what OMERO takes when it is not written */
  flag(key: string, absent: boolean): boolean
  /** A password, of which only this is wanted. */
  secret(key: string): SecretState
  /** It is set, and nobody knows to what. */
  isUnclear(key: string): boolean
  makeUnclear(key: string): void
  /** Names that nobody has asked for. */
  unread(): readonly string[]
}

export function settingsOf(all: ReadonlyMap<string, Property>, tell: Tell): OmeroSettings {
  const read = new Set<string>()
  const unclear = new Set(
    [...all].flatMap(([key, { value, isDoubtful }]) => (value === undefined || isDoubtful ? [key] : [])),
  )
  const settings: OmeroSettings = {
    place: key => {
      const property = all.get(key)
      const option = optionOf(key)
      return property === undefined ? { option } : { option, file: property.file, line: property.line }
    },
    has: key => {
      read.add(key)
      return all.has(key)
    },
    text: key => {
      read.add(key)
      return all.get(key)?.value?.trim()
    },
    flag: (key, absent) => {
      const written = settings.text(key)?.toLowerCase()
      if (written === undefined) return absent
      if (/^(?:true|on|yes|1)$/.test(written)) return true
      if (/^(?:false|off|no|0)$/.test(written)) return false
      tell('problem', settings.place(key), 'must be true or false; OMERO does not start otherwise')
      unclear.add(key)
      return absent
    },
    secret: key => {
      read.add(key)
      const property = all.get(key)
      if (property === undefined) return 'absent'
      if (property.value === '') return 'empty'
      return property.value === '********' ? 'masked' : 'written'
    },
    isUnclear: key => unclear.has(key),
    makeUnclear: key => void unclear.add(key),
    unread: () => [...all.keys()].filter(key => !read.has(key) && key !== elsewhere),
  }
  return settings
}
