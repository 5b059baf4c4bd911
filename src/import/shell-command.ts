/**
 * One simple command of a POSIX shell as its words, without quotes. Nothing is looked up and nothing is run: a word that
 * a shell would put something else into is only marked.
 *
 * Not to forget: a quote that nothing closes reaches to the end of the text, so whoever reads on after that mistake reads
 * nonsense, and again and again.
 *
 * Source: POSIX Shell Command Language 2.2 (quoting), 2.6 (expansions), 2.10 (operators).
 */

export interface ShellWord {
  readonly text: string
  /** A shell puts a variable, the output of a command or a home folder in there. */
  readonly isReplaced: boolean
}

export type ShellRead =
  /** `end`: behind the command and what parts it from the next one. */
  | { readonly ok: true; readonly words: readonly ShellWord[]; readonly end: number }
  /** `isOpen`: the rest of the text cannot be told apart any more. */
  | { readonly ok: false; readonly message: string; readonly isOpen: boolean }

const open = (what: string): ShellRead => ({ ok: false, message: `${what} is never closed`, isOpen: true })

const operator: ShellRead = {
  ok: false,
  message: 'a shell takes one of ( ) < > | & here for its own; put the value into single quotes, one command on a line',
  isOpen: false,
}

/** From the `$` or the back quote; undefined where it stays open. An ordinary `$` ends at once. */
function expansionEnd(text: string, at: number): number | undefined {
  const closing = (mark: string, from: number) => {
    const end = text.indexOf(mark, from)
    return end === -1 ? undefined : end + 1
  }
  if (text[at] === '`') return closing('`', at + 1)
  const next = text[at + 1] ?? ''
  if (next === '{') return closing('}', at + 2)
  if (next === '(') {
    let depth = 0
    for (let position = at + 1; position < text.length; position++) {
      if (text[position] === '(') depth++
      else if (text[position] === ')' && --depth === 0) return position + 1
    }
    return undefined
  }
  const name = /[A-Za-z_]\w*|[0-9@*#?!$-]/y
  name.lastIndex = at + 1
  return name.test(text) ? name.lastIndex : at + 1
}

interface Quoted {
  readonly text: string
  readonly isReplaced: boolean
  readonly end: number
}

/** @param at  behind the opening quote; undefined where it stays open */
function inDoubleQuotes(text: string, at: number): Quoted | undefined {
  const parts: string[] = []
  const chunk = /[^"\\$`]+/y
  let isReplaced = false
  for (let position = at; position < text.length; ) {
    const character = text[position]
    if (character === '"') return { text: parts.join(''), isReplaced, end: position + 1 }
    if (character === '\\') {
      const next = text[position + 1] ?? ''
      if (next !== '\n') parts.push('$`"\\'.includes(next) ? next : `\\${next}`)
      position += 2
    } else if (character === '$' || character === '`') {
      const end = expansionEnd(text, position)
      if (end === undefined) return undefined
      if (end === position + 1) parts.push('$')
      else isReplaced = true
      position = end
    } else {
      chunk.lastIndex = position
      parts.push(chunk.exec(text)?.[0] ?? '')
      position = chunk.lastIndex
    }
  }
  return undefined
}

/** Reads to the end of the command: a line that does not go on, `;`, `&&`, or a comment. */
export function readShellCommand(text: string, from: number): ShellRead {
  const words: ShellWord[] = []
  const chunk = /[^\s'"\\$`;&|<>()#~]+/y
  let parts: string[] | undefined
  let isReplaced = false
  const add = (part: string) => {
    parts ??= []
    parts.push(part)
  }
  const endWord = () => {
    if (parts !== undefined) words.push({ text: parts.join(''), isReplaced })
    parts = undefined
    isReplaced = false
  }
  for (let at = from; at < text.length; ) {
    const character = text[at] ?? ''
    if (character === '\n' || character === ';' || text.startsWith('&&', at)) {
      endWord()
      return { ok: true, words, end: at + (character === '&' ? 2 : 1) }
    }
    if (/\s/.test(character)) {
      endWord()
      at++
    } else if (character === '#' && parts === undefined) {
      const end = text.indexOf('\n', at)
      return { ok: true, words, end: end === -1 ? text.length : end + 1 }
    } else if (character === "'") {
      const end = text.indexOf("'", at + 1)
      if (end === -1) return open("a '")
      add(text.slice(at + 1, end))
      at = end + 1
    } else if (character === '"') {
      const quoted = inDoubleQuotes(text, at + 1)
      if (quoted === undefined) return open('a "')
      add(quoted.text)
      isReplaced ||= quoted.isReplaced
      at = quoted.end
    } else if (character === '\\') {
      if (text[at + 1] !== '\n') add(text[at + 1] ?? '')
      at += 2
    } else if (character === '$' || character === '`') {
      const end = expansionEnd(text, at)
      if (end === undefined) return open(character === '$' ? 'a $( or ${' : 'a back quote')
      // Also $'…' and $"…": other rules hold in there.
      isReplaced ||= end > at + 1 || /['"]/.test(text[at + 1] ?? '')
      add(end === at + 1 ? '$' : '')
      at = end
    } else if ('&|<>()'.includes(character)) {
      return operator
    } else if (character === '#' || character === '~') {
      isReplaced ||= character === '~' && parts === undefined
      add(character)
      at++
    } else {
      chunk.lastIndex = at
      add(chunk.exec(text)?.[0] ?? '')
      at = chunk.lastIndex
    }
  }
  endWord()
  return { ok: true, words, end: text.length }
}
