/**
 * Commands of OMERO as people keep them in notes and scripts, `omero config set KEY VALUE` before all, and what each does
 * to the settings.
 *
 * Not to forget: a command may hold passwords anywhere (`-w` is one of OMERO's own options), so no word of it but the name
 * of a property is ever repeated.
 *
 * Source: omero-py omero/plugins/prefs.py (verbs, options, names of properties), omero/cli.py (options before them).
 */
import { quoted } from './decision.ts'
import { readShellCommand, type ShellWord } from './shell-command.ts'

export type Effect =
  /** `value` undefined: it stands elsewhere, and `why` says where. */
  | { readonly kind: 'set'; readonly key: string; readonly value: string | undefined; readonly why?: string }
  | { readonly kind: 'unset'; readonly key: string }
  | { readonly kind: 'none' }
  /** It changes settings in a way that is not followed. */
  | { readonly kind: 'unfollowed'; readonly key: string; readonly why: string }
  /** OMERO itself would not do it. */
  | { readonly kind: 'refused'; readonly key: string; readonly why: string }
  | { readonly kind: 'mistake'; readonly message: string; readonly isOpen: boolean }

export interface CommandRead {
  readonly effect: Effect
  readonly end: number
}

const sudoWithValue = /^-(?:[ugpChDRTU]|-(?:user|group|host|prompt|chdir|chroot))$/
const omeroWithValue = /^(?:-[wspgukd]|--(?:password|server|port|group|user|key|debug|path|source|sudo))$/

/**
 * Where the words behind `omero` begin, if this line is a command of it; prompts, `sudo`, `env` and variables may stand
 * before. Only the beginning of the line is looked at.
 */
export function commandStart(line: string): number | undefined {
  // Files for "omero load" have commands without the program's name.
  if (/^\s*config\s+(?:set|append|remove)\s/.test(line)) return 0
  const word = /\s*(\S+)/y
  const next = () => word.exec(line)?.[1]
  for (let one = next(), isOption = false; one !== undefined; one = next()) {
    // The name of an account may be omero, too.
    if (!isOption && /^["']?(?:[^\s=]*[/\\])?omero(?:\.bat)?["']?$/.test(one)) return word.lastIndex
    const isFollowed = sudoWithValue.test(one)
    const isPrefix = /^(?:[$>%]|sudo|env|command|exec)$|^[A-Za-z_]\w*=/.test(one)
    if (!isPrefix && !one.startsWith('-') && !isOption) return undefined
    isOption = isFollowed
  }
  return undefined
}

/** @param from  behind the word `omero` */
export function readOmeroCommand(text: string, from: number): CommandRead {
  const read = readShellCommand(text, from)
  if (read.ok) return { effect: effectOf(read.words), end: read.end }
  const line = text.indexOf('\n', from)
  return { effect: { ...read, kind: 'mistake' }, end: line === -1 ? text.length : line + 1 }
}

/** Without the options, and without what belongs to them. */
function withoutOptions(words: readonly ShellWord[], withValue: RegExp): readonly ShellWord[] {
  let at = 0
  for (; words[at]?.text.startsWith('-'); at++) if (withValue.test(words[at]?.text ?? '')) at++
  return words.slice(at)
}

const harmless = new Set(['get', 'list', 'keys', 'all', 'parse', 'path', 'version', 'lock'])
const changing = new Set(['append', 'remove', 'load', 'drop', 'def', 'edit', 'upgrade', 'old'])

function effectOf(words: readonly ShellWord[]): Effect {
  const [first, ...others] = withoutOptions(words, omeroWithValue)
  if (first?.text !== 'config')
    return {
      kind: 'mistake',
      message: 'of the commands of OMERO only "omero config" is read; take this line out',
      isOpen: false,
    }
  const [verb, ...rest] = withoutOptions(others, omeroWithValue)
  const name = verb?.text ?? ''
  if (name === 'set') return effectOfSet(rest)
  if (harmless.has(name)) return { kind: 'none' }
  if (!changing.has(name))
    return { kind: 'mistake', message: 'of "omero config" only set is read; take this line out', isOpen: false }
  const key = rest.find(({ text }) => isPropertyName(text) && !text.startsWith('-'))?.text ?? ''
  const why =
    name === 'append' || name === 'remove'
      ? `"omero config ${name}" changes a list that stands elsewhere, and is not understood; import the output of "omero config get" instead`
      : `"omero config ${name}" changes settings out of sight, and is not understood; import the output of "omero config get" instead`
  return { kind: 'unfollowed', key: name === 'append' || name === 'remove' ? key : '', why }
}

/** OMERO's own rule; it sets no other. */
export const isPropertyName = (text: string): boolean => /^[A-Za-z0-9._-]+$/.test(text)

function effectOfSet(words: readonly ShellWord[]): Effect {
  const positional: ShellWord[] = []
  let isFromFile = false
  let areOptionsOver = false
  for (let at = 0; at < words.length; at++) {
    const word = words[at]
    const text = word?.text ?? ''
    if (word === undefined) continue
    if (areOptionsOver || !text.startsWith('-') || text === '-') positional.push(word)
    else if (text === '--') areOptionsOver = true
    else if (/^(?:-f|--file)$/.test(text)) {
      isFromFile = true
      at++
    } else if (/^(?:-f.|--file=)/.test(text)) isFromFile = true
    else if (text !== '--report')
      return {
        kind: 'refused',
        key: isPropertyName(positional[0]?.text ?? '') ? (positional[0]?.text ?? '') : '',
        why: 'has an option that "omero config set" does not know',
      }
  }
  const [name, value, ...more] = positional
  const key = name?.text ?? ''
  if (name === undefined) return { kind: 'mistake', message: '"omero config set" names no property', isOpen: false }
  if (name.isReplaced || (!isPropertyName(key) && !key.includes('=')))
    return {
      kind: 'mistake',
      message: 'the property that is set has no name that OMERO takes (letters, digits, . _ -)',
      isOpen: false,
    }
  // What stands behind the = may be a password.
  const shown = key.replace(/=.*$/s, '')
  if (key.includes('='))
    return {
      kind: 'refused',
      key: shown,
      why: 'is written with =, and OMERO sets nothing then; write a blank between name and value',
    }
  if (more.length > 0)
    return { kind: 'refused', key, why: 'is followed by several words; put the value into single quotes' }
  if (isFromFile) return { kind: 'set', key, value: undefined, why: 'is read from another file (--file)' }
  if (value === undefined) return { kind: 'unset', key }
  if (value.isReplaced)
    return {
      kind: 'set',
      key,
      value: undefined,
      why: 'holds what a shell puts there ($, a back quote or ~), which is not looked up; in single quotes it would stand for itself',
    }
  return { kind: 'set', key, value: value.text }
}

/** For a place in a decision. */
export const optionOf = (key: string): string =>
  key === '' ? 'omero config' : isPropertyName(key) && key.length <= 120 ? key : quoted(key)
