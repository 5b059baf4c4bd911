/**
 * The lines above a draft: where it comes from, and what a person must still do, numbered. Notes stay out of the file.
 */
import { basename } from 'node:path'
import { type Decision, legible } from './decision.ts'
import type { SourceFile } from './imported.ts'

export interface Origin {
  /** As in "To be changed in the configuration of Orthanc". */
  readonly program: string
  /** The word behind `sallyport import`. */
  readonly command: string
  readonly files: readonly SourceFile[]
}

export function draftHeader({ program, command, files }: Origin, decisions: readonly Decision[]): string[] {
  const todo = decisions.filter(({ kind }) => kind === 'decide' || kind === 'problem')
  const elsewhere = decisions.filter(({ kind }) => kind === 'change')
  const line = ({ option, message }: Decision, index: number) =>
    `${index + 1}. ${option === '' ? '' : `${option}: `}${message}`
  return [
    ...wrapped(
      `A draft, made by "sallyport import ${command}" from ${files.map(({ file }) => legible(basename(file))).join(', ')}. Then: sallyport check`,
    ),
    ...(todo.length === 0 ? [] : ['', 'To be decided or done:', ...todo.map(line).flatMap(wrapped)]),
    ...(elsewhere.length === 0
      ? []
      : ['', `To be changed in the configuration of ${program}:`, ...elsewhere.map(line).flatMap(wrapped)]),
  ]
}

/** In lines of a comment; a word that is longer stays whole. */
function wrapped(text: string): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < 112) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(last === undefined ? word : `   ${word}`)
  }
  return lines
}
