/**
 * What a result code of a directory means for the settings, in plain words with the cure; a table for each step.
 *
 * Not to forget: OpenLDAP says the same (49) of a name that is not there and of a wrong password; only Active Directory
 * tells more, in three digits behind "data".
 *
 * Source: RFC 4511 appendix A; Microsoft "LDAP bind errors" and "LDAP signing"; slapd.conf(5) require, security, limits.
 */
import type { ResultCodeError } from 'ldapts'
import type { DirectoryStep } from '../ldap/failure.ts'
import { type Diagnosis, otherUrl, type Terms } from './diagnosis.ts'

/** In words for an administrator; `who`: "the reader account", or "the account". */
const states: Readonly<Record<string, readonly [code: string, cause: string, cure: string]>> = {
  '525': ['unknown', 'is not known to the directory', 'look at the spelling: a whole DN, or name@domain'],
  '52e': ['wrong-password', 'has another password than this one, or is not known', 'look at name and password'],
  '530': ['wrong-hour', 'may not sign in at this hour', 'look at its logon hours'],
  '531': [
    'wrong-workstation',
    'may sign in from certain computers only',
    'the gateway signs in at a domain controller: allow the controllers too under "Log On To", or all computers',
  ],
  '532': ['password-expired', 'has a password that has expired', 'set a new one'],
  '533': ['disabled', 'is disabled', 'enable it in the directory'],
  '701': ['account-expired', 'has expired', 'look at its expiry date in the directory'],
  '773': [
    'must-change',
    'must change its password before anything else',
    'change it once at a workstation, or take "must change password at next logon" away',
  ],
  '775': [
    'locked',
    'is locked by too many wrong passwords',
    'unlock it, or wait; then look who keeps trying (an old password in some script or telephone)',
  ],
}

/** Of the digits behind "data" in a message of Active Directory; undefined: there are none, or unknown ones. */
export function accountState(message: string, who: string): Diagnosis | undefined {
  const [, data = ''] = /\bdata ([0-9a-f]{3})\b/i.exec(message) ?? []
  const [code, cause, cure] = states[data.toLowerCase()] ?? []
  return code === undefined || cause === undefined || cure === undefined
    ? undefined
    : { code: `account-${code}`, cause: `${who} ${cause} (data ${data})`, cure }
}

export function resultCause(step: DirectoryStep, error: ResultCodeError, terms: Terms): Diagnosis {
  const of = table[step === 'referral' ? 'search' : step]?.(error, terms) ?? anywhere(error, terms)
  const said = error.message.replace(/ ?Code: 0x[0-9a-f]+$/i, '').trim()
  return said === '' ? of : { ...of, cause: `${of.cause}; in its own words: "${said.slice(0, 300)}"` }
}

type Cause = (error: ResultCodeError, terms: Terms) => Diagnosis | undefined

const table: Readonly<Partial<Record<DirectoryStep, Cause>>> = {
  tls: startTls,
  reader,
  search,
}

/** Of the connection as it is, whatever is asked on it. */
function anywhere({ code }: ResultCodeError, terms: Terms): Diagnosis {
  const { address, startTls, reader: readerName } = terms
  const isClear = !address.secure && !startTls
  const encrypt = `write ${otherUrl(address, { secure: true, port: portOfTls(address.port) })} in realms.directory.urls, or startTls: true`
  if (code === 8 && isClear)
    return {
      code: 'encryption-required',
      cause:
        readerName === undefined
          ? anonymous
          : 'the directory takes no name and password without encryption (Active Directory calls it signing)',
      cure: readerName === undefined ? readerCure : encrypt,
    }
  if (code === 13 && isClear)
    return { code: 'encryption-required', cause: 'the directory answers nothing without encryption', cure: encrypt }
  if (code === 13)
    return {
      code: 'encryption-too-weak',
      cause: 'the directory wants stronger encryption than this connection has',
      cure: 'look at the line "security" (OpenLDAP) or at the ciphers of the directory',
    }
  if (code === 8 || code === 7 || code === 48)
    return {
      code: 'simple-bind-refused',
      cause: 'the directory lets nobody sign in with a DN and a password (simple bind)',
      cure: 'allow it there, over TLS: the gateway has no other way to check a password',
    }
  if (code === 51 || code === 52)
    return {
      code: 'busy',
      cause: 'the directory says that it has no time, or is not ready',
      cure: 'wait; it is asked again by itself',
    }
  return {
    code: `result-${code}`,
    cause: `the directory refuses what is asked (code ${code})`,
    cure: 'the log of the directory says why',
  }
}

const portOfTls = (port: number): number => (port === 389 ? 636 : port === 3268 ? 3269 : port)

const anonymous = 'the directory lets nobody search without signing in, and no reader is configured'
export const readerCure =
  'give the gateway an account that may read: realms.directory.username (a DN, or name@domain in Active Directory) and password: { file: … }'

function startTls({ code }: ResultCodeError, { address }: Terms): Diagnosis | undefined {
  if (code === 51) return undefined
  return {
    code: 'starttls-refused',
    cause: `the server refuses StartTLS (code ${code})`,
    cure: `mostly it has no certificate yet: give it one (Active Directory: for "Server Authentication", in the store of the computer); or try ${otherUrl(address, { secure: true, port: portOfTls(address.port) })}`,
  }
}

function reader(error: ResultCodeError, { reader = '' }: Terms): Diagnosis | undefined {
  switch (error.code) {
    case 49:
      return (
        accountState(error.message, `the reader account ${reader}`) ?? {
          code: 'reader-refused',
          cause: `the directory does not know the reader account ${reader}, or its password is another one`,
          cure: 'look at realms.directory.username and password; a DN is written whole, from cn= or uid= down to the last dc= or o=',
        }
      )
    case 32:
      return {
        code: 'reader-unknown',
        cause: `there is no reader account ${reader}`,
        cure: 'look at realms.directory.username: a DN is written whole',
      }
    case 34:
      return {
        code: 'reader-no-dn',
        cause: `"${reader}" is no name that can sign in here`,
        cure: 'write realms.directory.username as a DN, or as name@domain in Active Directory',
      }
    case 19:
    case 53:
      return {
        code: 'reader-unwilling',
        cause: `the directory does not let the reader account ${reader} sign in (code ${error.code})`,
        cure: 'mostly it is locked or disabled: look at it in the directory',
      }
    default:
      return undefined
  }
}

function search({ code }: ResultCodeError, { reader, base }: Terms): Diagnosis | undefined {
  const limits = 'raise it for the reader account, or ask for less: a narrower base or filter'
  switch (code) {
    case 1:
    case 50:
    case 8:
      if (reader === undefined) return { code: 'anonymous-refused', cause: anonymous, cure: readerCure }
      return code === 50
        ? {
            code: 'reader-may-not-search',
            cause: `the reader account ${reader} may not search below ${baseText(base)}`,
            cure: 'give it the right to read there',
          }
        : undefined
    case 3:
      return {
        code: 'time-limit',
        cause: "the directory's time limit ended the search",
        cure: `${limits}; index the attributes of the filter`,
      }
    case 4:
      return {
        code: 'size-limit',
        cause: "the directory's size limit cut the answer, and half an answer is none",
        cure: limits,
      }
    case 11:
      return {
        code: 'admin-limit',
        cause: "a limit of the directory's administrator ended the search",
        cure: `${limits}; index the attributes of the filter`,
      }
    case 32:
      return {
        code: 'no-such-base',
        cause: `there is no entry ${baseText(base)}, or ${reader === undefined ? 'it is hidden from who has not signed in' : 'the reader account may not see it'}`,
        cure: `look at realms.directory.base${reader === undefined ? `; or ${readerCure}` : ''}`,
      }
    case 34:
      return {
        code: 'base-no-dn',
        cause: `the directory does not take "${base}" for a DN`,
        cure: 'look at realms.directory.base',
      }
    case 12:
      return {
        code: 'extension-missing',
        cause: 'the directory lacks an extension that is needed: answers in pages, or a matching rule of a filter',
        cure: 'nestedGroups: true needs Active Directory; elsewhere write nestedGroups: walk',
      }
    case 17:
    case 18:
    case 21:
      return {
        code: 'filter-refused',
        cause: `the directory cannot compare what a filter compares (code ${code})`,
        cure: 'look at the attributes and values in userFilter, groupFilter and newUserGroup',
      }
    default:
      return undefined
  }
}

const baseText = (base: string): string => (base === '' ? 'above all (the empty base)' : base)
