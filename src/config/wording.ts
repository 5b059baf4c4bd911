/**
 * Says in an operator's words what zod found: what to write, not which type was received.
 *
 * Messages that the sections wrote themselves pass as they are; only zod's own are put in other words.
 */
import type { z } from 'zod'

export type Issue = z.core.$ZodIssue

const types: Record<string, string> = {
  boolean: 'write true or false',
  string: 'write text here (in quotes, if it looks like a number)',
  number: 'write a number',
  int: 'write a whole number',
  array: 'write a list here',
  object: 'write keys and values here',
  record: 'write names and values here',
}

const isZods = ({ message }: Issue) => /^(Invalid|Too (small|big))/.test(message)

export function wordsFor(issue: Issue, key: string): string {
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message
  if (!isZods(issue)) return issue.message
  if (issue.code === 'invalid_type') {
    const cure = types[issue.expected] ?? `write ${issue.expected}`
    return issue.input === undefined ? `"${key}" is missing; ${cure}` : cure
  }
  if (issue.code === 'invalid_value') {
    const values = `write ${issue.values
      .map(String)
      .join(', ')
      .replace(/, ([^,]*)$/, ' or $1')}`
    return issue.input === undefined ? `"${key}" is missing; ${values}` : values
  }
  if (issue.code === 'too_big') return `at most ${issue.maximum}${issue.origin === 'string' ? ' characters' : ''}`
  if (issue.code !== 'too_small') return issue.message
  if (issue.origin === 'string') return 'this must not be empty'
  return issue.origin === 'array' ? 'at least one entry is needed; or leave the key out' : `at least ${issue.minimum}`
}
