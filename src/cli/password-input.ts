/**
 * Where a password comes from: a file, the keyboard without echo, or one line of standard input.
 *
 * Never from the command line, which every account of the machine can read. What is typed is never echoed, logged or
 * part of a message.
 *
 * Source: NIST SP 800-63B 5.1.1.2 (at least 8 characters, no rules of composition).
 */
import { readFileSync, statSync } from 'node:fs'
import { longestPassword } from '../identity/local-accounts.ts'
import { CommandEnd, type Report } from './report.ts'
import { shownPath } from './shown-path.ts'

export const passwordFileOption = {
  'password-file': { type: 'string', requiresArg: true, describe: 'a file that holds the password in one line' },
} as const

/** @throws CommandEnd 2 where the file cannot be read, is empty, or holds more than a password */
export function readPasswordFile(file: string, report: Pick<Report, 'warn'>): string {
  const shown = shownPath(file)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
    const mode = statSync(file).mode & 0o777
    if ((mode & 0o077) !== 0) {
      const octal = mode.toString(8).padStart(4, '0')
      report.warn(`${shown} holds a password and others may read it (mode ${octal}); chmod 600 ${shown}`)
    }
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable'
    const why = { ENOENT: 'there is no such file', EACCES: 'this account may not read it', EISDIR: 'it is a folder' }[
      code
    ]
    throw new CommandEnd(
      2,
      `the password file ${shown} cannot be read: ${why ?? code}`,
      'name a file that holds the password in one line',
    )
  }
  return oneLine(text.replace(/\r?\n$/, ''), `the password file ${shown}`)
}

/** Asks once: on a terminal without echo, else one line of standard input. @throws CommandEnd */
export const askPassword = (prompt: string): Promise<string> => (process.stdin.isTTY ? typed(prompt) : lineOfInput())

export interface NewPassword {
  /** Absent: asked for. */
  readonly file: string | undefined
  readonly prompt: string
  /** What is wrong with it, or undefined. */
  readonly judge: (password: string) => string | undefined
}

const tries = 3

/** Asks twice on a terminal, and again where it is not good enough. @throws CommandEnd */
export async function newPassword({ file, prompt, judge }: NewPassword, report: Report): Promise<string> {
  for (let left = file === undefined && process.stdin.isTTY ? tries - 1 : 0; ; left--) {
    const password = file === undefined ? await askPassword(`${prompt}: `) : readPasswordFile(file, report)
    const wrong = judge(password) ?? (await differs(password, file, prompt))
    if (wrong === undefined) return password
    if (left === 0) throw new CommandEnd(2, wrong, 'nothing was changed')
    report.warn(`${wrong}; once more`)
  }
}

async function differs(password: string, file: string | undefined, prompt: string): Promise<string | undefined> {
  if (file !== undefined || !process.stdin.isTTY) return undefined
  return (await typed(`${prompt}, again: `)) === password ? undefined : 'the two are not the same'
}

/** True without asking where nobody sits at a terminal: a script has made up its mind. */
export async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) return true
  return /^y(es)?$/i.test((await typed(`${question} [y/N] `, 'shown')).trim())
}

function oneLine(text: string, from: string): string {
  if (text === '') throw new CommandEnd(2, `${from} is empty: an empty password protects nothing`)
  // A key or a certificate, named by a slip: better refused than taken for a password.
  if (/[\r\n\0]/.test(text)) throw new CommandEnd(2, `${from} holds more than one line; a password is one line`)
  if (text.includes('\ufffd')) throw new CommandEnd(2, `${from} is not UTF-8 text`)
  if (text.length > longestPassword) throw new CommandEnd(2, `${from} is longer than ${longestPassword} characters`)
  return text
}

async function lineOfInput(): Promise<string> {
  let text = ''
  process.stdin.setEncoding('utf8')
  for await (const chunk of process.stdin) {
    text += String(chunk)
    if (text.includes('\n') || text.length > 4 * longestPassword) break
  }
  const [line = ''] = text.split(/\r?\n/)
  if (line === '') {
    throw new CommandEnd(
      2,
      'no password came: standard input is no terminal and its first line is empty',
      'give it with --password-file FILE, or pipe it in',
    )
  }
  return oneLine(line, 'standard input')
}

/** Reads a line from the terminal, key by key, because a line that the terminal itself collects is echoed. */
function typed(prompt: string, echo: 'hidden' | 'shown' = 'hidden'): Promise<string> {
  const { stdin, stderr } = process
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let text = ''
  const end = (settle: () => void) => {
    stdin.off('data', take).setRawMode(false).pause()
    stderr.write('\n')
    settle()
  }
  const interrupted = () => reject(new CommandEnd(1, 'interrupted; nothing was changed'))
  const take = (chunk: string) => {
    if (chunk.startsWith('\x1b')) return // an arrow or function key
    for (const key of chunk) {
      // What comes after the end of the line is dropped, as getpass(3) does.
      if (key === '\r' || key === '\n') return end(() => resolve(text))
      if (key === '\x03' || (key === '\x04' && text === '')) return end(interrupted)
      if (key === '\x7f' || key === '\b') text = [...text].slice(0, -1).join('')
      else if (key === '\x15') text = ''
      else if (key >= ' ') text += key
    }
    if (echo === 'shown') stderr.write(`\r\x1b[2K${prompt}${text}`)
  }
  stdin.setEncoding('utf8')
  stdin.setRawMode(true).on('data', take).resume()
  // Only now, so that whoever answers a prompt at once is not echoed.
  stderr.write(prompt)
  return promise
}
