/**
 * The configuration of an Orthanc from its files: read, put together, with everything in it that is not JSON.
 *
 * Orthanc takes one file, or all .json files of a folder, and does not start when two of them have the same option.
 * Whoever calls reads the files and gives absolute names, since paths are relative to where a file lies.
 *
 * Source: OrthancServer Sources/OrthancConfiguration.cpp; Orthanc Book, "Configuration of Orthanc".
 */
import { basename } from 'node:path'
import type { Place, Tell } from './decision.ts'
import { legible, shownName } from './decision.ts'
import type { Mistake, SourceFile } from './imported.ts'
import { type JsonNode, type Members, readJsonc } from './jsonc.ts'
import { type Section, sectionOf } from './orthanc-section.ts'
import type { Environment } from './variables.ts'

export type SettingsRead =
  | { readonly ok: true; readonly settings: Section }
  | { readonly ok: false; readonly mistakes: readonly Mistake[] }

export function readOrthancSettings(files: readonly SourceFile[], env: Environment, tell: Tell): SettingsRead {
  const all = new Map<string, JsonNode>()
  const mistakes: Mistake[] = []
  for (const { file, text } of files) {
    const read = readJsonc(file, text, env)
    if (!read.ok) {
      mistakes.push(read.mistake)
      continue
    }
    for (const { kind, message, ...place } of read.remarks) tell(kind, place, message)
    if (!(read.node.value instanceof Map)) continue // readJsonc gives an object at the top
    for (const [key, node] of read.node.value as Members) {
      const first = all.get(key)
      if (first === undefined) all.set(key, node)
      else {
        const place = { option: shownName(key), file: node.file, line: node.line }
        tell(
          'problem',
          place,
          `stands in ${legible(basename(first.file))} too, and Orthanc does not start then; that one was taken`,
        )
      }
    }
  }
  if (mistakes.length > 0) return { ok: false, mistakes }
  tellMissing(all, tell)
  return { ok: true, settings: sectionOf(all, tell) }
}

/** Where Orthanc runs they may be set. */
function tellMissing(all: Members, tell: Tell): void {
  const places = new Map<string, Place>()
  const look = (node: JsonNode, option: string): void => {
    for (const name of node.missing ?? [])
      places.set(name, places.get(name) ?? { option, file: node.file, line: node.line })
    if (node.value instanceof Map)
      for (const [key, inner] of node.value as Members) look(inner, `${option}.${shownName(key)}`)
    if (Array.isArray(node.value)) for (const inner of node.value) look(inner, option)
  }
  for (const [key, node] of all) look(node, shownName(key))
  for (const [name, place] of places) {
    tell(
      'decide',
      place,
      `the environment variable ${shownName(name)} is not set here, and nothing stands in its place; import again where it is set`,
    )
  }
}
