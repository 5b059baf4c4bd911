/**
 * Says what other layers refuse, and what a disk refuses, as an end that was foreseen: a sentence with its cure.
 *
 * Whatever is not on these lists is a fault or a bug, and passes through as it came to the last catch in main.ts.
 */
import { AccountFileError } from '../identity/account-file.ts'
import { IssuerRefusal, type IssuerRefusalCode } from '../issuer/refusal.ts'
import { causeLine, Fault } from '../kernel/fault.ts'
import { ViewerRefusal, type ViewerRefusalCode } from '../viewer/install-refusal.ts'
import { CommandEnd, type Report } from './report.ts'
import { shownPath } from './shown-path.ts'

type Handler<A> = (argv: A, report: Report) => Promise<void> | void

export const foreseen =
  <A>(handler: Handler<A>): Handler<A> =>
  async (argv, report) => {
    try {
      await handler(argv, report)
    } catch (thrown) {
      throw asEnd(thrown)
    }
  }

/** Exit code 2: what was typed is wrong; 1: it meets files that do not go with it. */
const issuer: Readonly<Record<IssuerRefusalCode, readonly [exitCode: 1 | 2, cure: string | undefined]>> = {
  'file-exists': [1, 'move it away, or name another folder with --dir DIR'],
  'directory-shared': [1, 'name a folder of its own with --dir DIR'],
  'authority-missing': [1, 'sallyport certs authority makes it (once)'],
  'authority-password': [
    1,
    'give the password with --authority-password-file FILE, or as authority.password in the configuration',
  ],
  'authority-unreadable': [
    1,
    'restore ca.pem and ca.key from your backup, or make a new authority: sallyport certs authority --dir DIR',
  ],
  'authority-expired': [1, 'make a new one: sallyport certs authority --dir DIR'],
  'ledger-unreadable': [1, 'mend or remove that line: nothing of the file is taken over until it can be read'],
  'issued-unknown': [1, 'sallyport certs list names what was issued'],
  'issued-expired': [1, 'sallyport certs list names what was issued'],
  'revoked-already': [1, 'sallyport certs list names what was issued'],
  'revoke-ambiguous': [1, 'say which by its serial: sallyport certs revoke SERIAL'],
  'name-invalid': [2, undefined],
  'lifetime-invalid': [2, 'say how long with --days N'],
  'password-empty': [2, 'put a password into the file, or leave --password-file out: then one is made'],
  'key-mismatch': [1, undefined],
  'key-unusable': [1, 'move it away: then a new one is made'],
  'container-password': [1, 'give the password with --password-file FILE'],
  'container-obsolete': [1, undefined],
  'container-unreadable': [1, 'name a certificate as PEM or DER, or a PKCS#12 file'],
}

const rights = ['this account may not do that', 'look at owner and mode of the file and of its folder'] as const
const room = 'make room there'
const otherPath = 'name another path'

/** What a disk says, and the cure. */
const disk: Readonly<Record<string, readonly [what: string, cure: string]>> = {
  EACCES: rights,
  EPERM: rights,
  EROFS: ['the file system is read-only', otherPath],
  ENOSPC: ['the disk is full', room],
  EDQUOT: ['the disk quota is used up', room],
  ENOTDIR: ['a part of the path is a file, not a folder', otherPath],
  EEXIST: ['a file is there already, where a folder should be', otherPath],
  EISDIR: ['it is a folder, not a file', otherPath],
  ENOENT: ['there is no such file', otherPath],
}

function asEnd(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || thrown instanceof CommandEnd) return thrown
  if (thrown instanceof IssuerRefusal)
    return new CommandEnd(issuer[thrown.code][0], short(thrown.message), issuer[thrown.code][1])
  if (thrown instanceof ViewerRefusal) {
    return new CommandEnd(
      thrown.code === 'version-invalid' ? 2 : 1,
      thrown.message.replace(/\.$/, ''),
      viewerCures[thrown.code],
    )
  }
  if (thrown.cause instanceof AccountFileError) {
    return new CommandEnd(
      1,
      short(thrown.cause.message),
      'mend that line with an editor; until then nobody signs in with a local account',
    )
  }
  if (thrown instanceof Fault && thrown.code.startsWith('directory-'))
    return new CommandEnd(
      1,
      `the directory cannot be asked: ${causeLine(thrown).replace(`${thrown.code}: `, '')}`,
      'sallyport check --online tries it step by step',
    )
  const said = 'code' in thrown && typeof thrown.code === 'string' ? disk[thrown.code] : undefined
  if (said !== undefined) {
    const path = 'path' in thrown && typeof thrown.path === 'string' ? `${shownPath(thrown.path)}: ` : ''
    return new CommandEnd(1, `${path}${said[0]}`, said[1])
  }
  // Of a Fault, the disk's own word lies one step down.
  if (thrown.cause !== undefined) {
    const end = asEnd(thrown.cause)
    if (end instanceof CommandEnd) return end
  }
  return thrown
}

const viewerCures: Partial<Record<ViewerRefusalCode, string>> = {
  'folder-taken': 'sallyport viewer install --dir DIR puts it elsewhere',
  'version-unknown': 'leave --version out: then the version is taken that this release was tested with',
  'npm-missing': 'or bring the package as a file: sallyport viewer install --archive FILE',
  'npm-offline': 'sallyport viewer install --archive FILE takes the package from a file',
  'npm-failed': 'look whether npm itself works here: npm ping',
  'integrity-mismatch': 'nothing was installed; try again, and ask who runs the registry or its mirror if it stays so',
  'archive-unreadable': 'fetch the package again: npm pack @ohif/app@VERSION',
  'archive-incomplete': 'fetch the package again: npm pack @ohif/app@VERSION',
}

/** Paths in messages are whole; below the working directory people know them by less. */
const short = (message: string) => message.replaceAll(`${process.cwd()}/`, '')
