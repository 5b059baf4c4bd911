/**
 * The settings of an OMERO from files: what `omero config get` prints, commands that set them, Java's .properties, mixed.
 *
 * A command is known by its words, wherever it stands. Other lines are read as Java does where the file can only be
 * Java's, and else as OMERO prints them, where a backslash is a backslash. The last of several equal names counts, as for
 * Java and for commands that are run one after another.
 *
 * Not to forget: any line may hold a password, so nothing of a line but the name of a property is ever told.
 *
 * Source: omero-py omero/plugins/prefs.py (get, set); java.util.Properties.
 */
import type { Tell } from './decision.ts'
import type { Mistake, SourceFile } from './imported.ts'
import { goesOn, javaProperty, logicalLine } from './java-properties.ts'
import { commandStart, isPropertyName, optionOf, readOmeroCommand } from './omero-command.ts'
import { elsewhere, type OmeroSettings, type Property, settingsOf } from './omero-property.ts'

export type SettingsRead =
  | { readonly ok: true; readonly settings: OmeroSettings }
  | { readonly ok: false; readonly mistakes: readonly Mistake[] }

/** Nobody reads more of them; a file that is something else altogether has as many as lines. */
const mostMistakes = 20

const isNothing = (line: string) => /^\s*(?:[#!].*)?$/.test(line)

/** What neither OMERO prints nor a command looks like, and Java reads. */
const marks: readonly RegExp[] = [
  /^\s+[A-Za-z0-9._-]+\s*[=:]/,
  /^[A-Za-z0-9._-]+\s+=/,
  /^(?:omero|Ice)[A-Za-z0-9._-]*(?:\s*:|\s|$)/,
  /^[A-Za-z0-9._-]+=.*\\u[0-9A-Fa-f]{4}/,
]

const isNamedAsJavas = (file: string) => /\.properties$/i.test(file)

function isJavas(file: string, lines: readonly string[]): boolean {
  if (isNamedAsJavas(file)) return true
  const others = lines.filter(line => commandStart(line) === undefined)
  const hasCommands = others.length < lines.length
  return others.some(
    line =>
      marks.some(mark => mark.test(line)) ||
      (/^(?:omero|Ice)/.test(line) && goesOn(line)) ||
      (!hasCommands && line.trim() !== '' && isNothing(line)),
  )
}

interface Reading {
  readonly file: string
  readonly text: string
  /** Where each line begins. */
  readonly starts: readonly number[]
  readonly lines: readonly string[]
  readonly isJavas: boolean
  readonly tell: Tell
  readonly take: (key: string, property: Property | undefined) => void
  /** @param index  of the line */
  readonly fail: (index: number, message: string) => void
}

export function readOmeroSettings(files: readonly SourceFile[], tell: Tell): SettingsRead {
  const all = new Map<string, Property>()
  const mistakes: Mistake[] = []
  for (const { file, text: written } of files) {
    const text = written.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n')
    if (/^\s*</.test(text)) {
      mistakes.push({
        file,
        line: 1,
        column: 1,
        message:
          'this is XML, as etc/grid/config.xml is; that file belongs to OMERO: write "omero config get > FILE", and import FILE',
      })
      continue
    }
    const lines = text.split('\n')
    let failed = 0
    const fail = (index: number, message: string) => {
      failed++
      if (failed <= mostMistakes) mistakes.push({ file, line: index + 1, column: 1, message })
      else if (failed === mostMistakes + 1)
        mistakes.push({ file, line: index + 1, column: 1, message: 'and more lines like these from here on' })
    }
    const take = (key: string, property: Property | undefined) => {
      const before = all.get(key)
      const place = { option: optionOf(key), file, line: property?.line ?? 1 }
      if (before !== undefined && property !== undefined && before.value !== property.value)
        tell('note', place, 'stands there several times; the last one counts')
      if (property === undefined) all.delete(key)
      else all.set(key, property)
    }
    const starts: number[] = []
    let start = 0
    for (const line of lines) {
      starts.push(start)
      start += line.length + 1
    }
    readLines({ file, text, starts, lines, isJavas: isJavas(file, lines), tell, take, fail })
  }
  return mistakes.length > 0 ? { ok: false, mistakes } : { ok: true, settings: settingsOf(all, tell) }
}

function readLines(reading: Reading): void {
  const { lines } = reading
  for (let index = 0; index < lines.length; ) {
    const line = lines[index] ?? ''
    if (isNothing(line)) index++
    else if (commandStart(line) !== undefined) index = readCommands(reading, index)
    else index = reading.isJavas ? readJavas(reading, index) : readPrinted(reading, index)
  }
}

const cure =
  'is neither key=value as "omero config get" prints it, nor "omero config set KEY VALUE", nor a line of a .properties file; take it out, and a value that runs over several lines as a whole'

/** @returns the index of the next line, as do the two below */
function readPrinted({ lines, file, tell, take, fail }: Reading, index: number): number {
  const line = lines[index] ?? ''
  const at = line.indexOf('=')
  const key = line.slice(0, Math.max(0, at))
  const value = line.slice(at + 1)
  if (!isPropertyName(key)) fail(index, cure)
  else {
    take(key, { value, file, line: index + 1 })
    if (value.includes('\\') && mayHoldBackslash(key))
      tell(
        'note',
        { option: key, file, line: index + 1 },
        'holds a backslash, which stands for itself, as in what "omero config get" prints; in a file whose name ends in .properties it would be read as Java does',
      )
  }
  return index + 1
}

function readJavas({ lines, file, tell, take, fail }: Reading, index: number): number {
  const { text, next } = logicalLine(lines, index)
  const property = javaProperty(text)
  if (property === undefined) {
    fail(index, 'a \\u is followed by four hexadecimal digits in a .properties file; Java does not read this line')
    return next
  }
  const { key, value, separator, hasBackslash, hasLostOne } = property
  const isNamed = isPropertyName(key) && (separator === '=' || /^(?:omero|Ice)[^.]*\../.test(key))
  if (!isNamed) fail(index, cure)
  else {
    const isDoubtful = hasBackslash && mayHoldBackslash(key) && !isNamedAsJavas(file)
    take(key, { value, file, line: index + 1, isDoubtful })
    const place = { option: key, file, line: index + 1 }
    if (isDoubtful)
      tell(
        'decide',
        place,
        'holds a backslash and was read as Java reads it, where one disappears and two are one. Let the name of the file end in .properties if that is what it is; if "omero config get" has printed it, import that without other lines',
      )
    else if (hasLostOne && mayHoldBackslash(key))
      tell(
        'decide',
        place,
        'holds a backslash that Java drops, and so did this; two of them in a .properties file are one',
      )
  }
  return next
}

/** Whatever else a file holds is only listed. */
const concernsSignIn = (key: string) => /^omero\.(?:ldap|security)\./.test(key)

const mayHoldBackslash = (key: string) => concernsSignIn(key) && !/pass(?:word)?$/i.test(key)

/** A line may hold several commands, and a command several lines. */
function readCommands(reading: Reading, index: number): number {
  const { text, starts, lines } = reading
  let from = (starts[index] ?? 0) + (commandStart(lines[index] ?? '') ?? 0)
  let next = index
  for (;;) {
    const { effect, end } = readOmeroCommand(text, from)
    if (effect.kind === 'mistake' && effect.isOpen) {
      reading.fail(index, `${effect.message}; nothing behind it was read`)
      return lines.length
    }
    follow(reading, index, effect)
    while (next < lines.length && (starts[next] ?? 0) < end) next++
    // Something is left of the line on which it ends.
    const rest = text.slice(end, starts[next] ?? text.length)
    if (end >= (starts[next] ?? text.length) || isNothing(rest)) return next
    const start = commandStart(rest)
    if (start === undefined) {
      reading.fail(next - 1, 'another command follows, and only those of omero are read; write one command on a line')
      return next
    }
    from = end + start
  }
}

function follow(
  { file, tell, take, fail }: Reading,
  index: number,
  effect: ReturnType<typeof readOmeroCommand>['effect'],
) {
  const unknown = { value: undefined, file, line: index + 1 }
  const place = (key: string) => ({ option: optionOf(key), file, line: index + 1 })
  switch (effect.kind) {
    case 'mistake':
      return fail(index, effect.message)
    case 'refused':
      tell('problem', place(effect.key), effect.why)
      return take(effect.key || elsewhere, unknown)
    case 'unfollowed':
      tell(effect.key === '' || concernsSignIn(effect.key) ? 'decide' : 'note', place(effect.key), effect.why)
      return take(effect.key || elsewhere, unknown)
    case 'unset':
      tell('note', place(effect.key), 'is taken out again by a command without a value; OMERO has its default then')
      return take(effect.key, undefined)
    case 'set':
      if (effect.value === undefined && concernsSignIn(effect.key))
        tell('decide', place(effect.key), `${effect.why ?? 'is not known'}; write into the draft what is meant`)
      return take(effect.key, { value: effect.value, file, line: index + 1 })
    case 'none':
      return
  }
}
