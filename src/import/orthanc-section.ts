/**
 * Options of Orthanc, asked for by name and kind. A value of the wrong kind is told once, as a problem, and is absent then:
 * Orthanc does not start with it either.
 *
 * Every option that is asked for counts as looked at, so that what nobody asked for can be listed at the end.
 * Not to forget: values are never part of a message here; any of them may be a password. And a text that a variable of the
 * environment has a part in is never given out: it is told, and absent.
 *
 * Source: OrthancServer Sources/OrthancConfiguration.cpp (kinds; paths are relative to the folder of the configuration).
 */
import { basename, dirname, resolve } from 'node:path'
import type { Place, Tell } from './decision.ts'
import { legible, shownName, withheld } from './decision.ts'
import type { JsonNode, Members } from './jsonc.ts'

export interface Section {
  place(key: string): Place
  has(key: string): boolean
  node(key: string): JsonNode | undefined
  text(key: string): string | undefined
  /** A text that only its node is wanted of: a password, or what may be one. */
  secret(key: string): JsonNode | undefined
  /** @param absent  what Orthanc takes when it is not written */
  flag(key: string, absent: boolean): boolean
  /** A whole number that is not negative. */
  whole(key: string): number | undefined
  /** A list of texts. */
  texts(key: string): readonly string[] | undefined
  section(key: string): Section | undefined
  /** A path, made absolute; an empty one is absent. */
  path(key: string): string | undefined
  keys(): readonly string[]
  /** Options that nobody has asked for, without those that begin with an underscore or slashes (comments of a kind). */
  unread(): readonly string[]
}

/** @param prefix  what stands before a name in messages: `DicomWeb.`, or nothing */
export function sectionOf(members: Members, tell: Tell, prefix = ''): Section {
  const read = new Set<string>()
  const section: Section = {
    place: key => {
      const node = members.get(key)
      const option = `${prefix}${shownName(key)}`
      return node === undefined ? { option } : { option, file: node.file, line: node.line }
    },
    has: key => {
      read.add(key)
      return members.has(key)
    },
    node: key => {
      read.add(key)
      return members.get(key)
    },
    text: key =>
      section.has(key) && members.get(key) ? textOf(members.get(key), section.place(key), tell) : undefined,
    secret: key => {
      const node = section.node(key)
      return node !== undefined && isText(node, section.place(key), tell) ? node : undefined
    },
    flag: (key, absent) => {
      const value = section.node(key)?.value
      if (typeof value === 'boolean') return value
      if (value !== undefined) tell('problem', section.place(key), 'must be true or false, without quotes')
      return absent
    },
    whole: key => {
      const node = section.node(key)
      const value = node?.value
      if (typeof value === 'number' && node?.touched !== undefined && node.variable === undefined) {
        tell('decide', section.place(key), withheld(node.touched))
        return undefined
      }
      if (value === undefined || (typeof value === 'number' && Number.isInteger(value) && value >= 0)) return value
      tell('problem', section.place(key), 'must be a whole number, without quotes and not negative')
      return undefined
    },
    texts: key => {
      const node = section.node(key)
      if (node === undefined) return undefined
      if (!Array.isArray(node.value)) {
        tell('problem', section.place(key), 'must be a list of texts: [ "…", "…" ]')
        return undefined
      }
      return node.value.flatMap(item => textOf(item, section.place(key), tell) ?? [])
    },
    section: key => {
      const node = section.node(key)
      if (node === undefined) return undefined
      if (node.value instanceof Map) return sectionOf(node.value, tell, `${section.place(key).option}.`)
      tell('problem', section.place(key), 'must hold names and values: { "…": … }')
      return undefined
    },
    path: key => {
      const touched = section.secret(key)?.touched
      if (touched !== undefined) {
        const option = section.place(key).option.replace(/[^\w.-]+/g, '-')
        const here = `certs/${option}.pem`
        tell('decide', section.place(key), `${withheld(touched)}; put the file where the draft says: ${here}`)
        return here
      }
      const written = section.text(key)
      if (written === undefined || written === '') return undefined
      if (/^[A-Za-z]:[\\/]|^\\\\/.test(written)) {
        const here = `certs/${basename(written.replaceAll('\\', '/'))}`
        tell(
          'decide',
          section.place(key),
          `is a path on Windows; put the file where this gateway runs, the draft says ${legible(here)}`,
        )
        return here
      }
      return resolve(dirname(members.get(key)?.file ?? '.'), written)
    },
    keys: () => [...members.keys()],
    unread: () => [...members.keys()].filter(key => !read.has(key) && !/^(_|\/\/|#)/.test(key)),
  }
  return section
}

type TextNode = JsonNode & { readonly value: string }

function isText(node: JsonNode | undefined, place: Place, tell: Tell): node is TextNode {
  if (typeof node?.value === 'string') return true
  tell('problem', place, 'must be a text, in double quotes')
  return false
}

function textOf(node: JsonNode | undefined, place: Place, tell: Tell): string | undefined {
  if (!isText(node, place, tell)) return undefined
  if (node.touched === undefined) return node.value
  tell('decide', place, `${withheld(node.touched)}; write into the draft what is meant`)
  return undefined
}
