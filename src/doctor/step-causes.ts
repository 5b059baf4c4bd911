/**
 * Why a step at a directory failed, in plain words.
 *
 *   no connection     here
 *   TLS               tls-causes.ts, which goes by what the server shows
 *   an LDAP result    result-causes.ts
 *
 * It asks nobody; closer-look.ts does. Source: errno(3); OpenSSL's reasons as Node 24 spells them.
 */
import { ResultCodeError } from 'ldapts'
import { causeLine, Fault } from '../kernel/fault.ts'
import { TooMuch } from '../ldap/conversation.ts'
import type { DirectoryStep } from '../ldap/failure.ts'
import { handshakeWords } from '../tls/handshake-words.ts'
import { PeerRefusal } from '../tls/peer-verdict.ts'
import { type Diagnosis, placeOf, type Terms } from './diagnosis.ts'
import { resultCause } from './result-causes.ts'

export interface FailedStep {
  readonly step: DirectoryStep
  /** What was thrown. */
  readonly failed: unknown
}

/** The error of the socket, of TLS, or of the directory, below what we have made of it. */
export function rootCause(failed: unknown): unknown {
  return failed instanceof Fault && failed.cause !== undefined ? rootCause(failed.cause) : failed
}

export function diagnose({ step, failed }: FailedStep, terms: Terms): Diagnosis {
  const cause = rootCause(failed)
  if (cause instanceof ResultCodeError) return resultCause(step, cause, terms)
  if (cause instanceof PeerRefusal)
    return { code: `tls-${cause.check}`, cause: cause.message, cure: 'look at realms.directory.tls' }
  const words = handshakeWords(cause)
  if (words?.includes('client certificate')) return clientCertificate(terms)
  if (step === 'connect') return noConnection(cause, terms)
  if (step === 'tls') return noHandshake(cause, words, terms)
  return cut(step, cause, terms)
}

export function clientCertificate({ showsCertificate }: Pick<Terms, 'showsCertificate'>): Diagnosis {
  const code = 'client-certificate'
  return showsCertificate
    ? {
        code,
        cause: 'the server does not take the client certificate that the gateway shows',
        cure: 'realms.directory.tls.certificate must come from an authority that the server trusts, and be meant for clients; what stands in it: sallyport certs show FILE',
      }
    : {
        code,
        cause: 'the server demands a client certificate, and the gateway shows none',
        cure: 'give it one: realms.directory.tls.certificate and key; or have the server ask for none (OpenLDAP: TLSVerifyClient never)',
      }
}

const ports =
  'ldap://, with StartTLS or without, is on 389, and ldaps:// on 636; the Global Catalogue of Active Directory on 3268 and 3269'

function noConnection(cause: unknown, { address, connectTimeout }: Terms): Diagnosis {
  const place = placeOf(address)
  switch (codeOf(cause)) {
    case 'ECONNREFUSED':
      return {
        code: 'refused',
        cause: `nobody listens on ${place}`,
        cure: `look whether the directory runs there, and whether the port is right: ${ports}`,
      }
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return {
        code: 'unknown-host',
        cause: `no address is known for the name ${address.host}`,
        cure: `look at its spelling in realms.directory.urls, and what the name server of this machine says: getent hosts ${address.host}`,
      }
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return {
        code: 'no-way',
        cause: `there is no way from here to ${place}`,
        cure: 'look at the routes of this machine and at firewalls on the way',
      }
    case 'ECONNRESET':
      return {
        code: 'cut',
        cause: `${place} cut the connection before anything was said`,
        cure: 'a firewall or a load balancer without a server behind it does that; try it from this machine by hand',
      }
    default:
      return {
        code: 'no-answer',
        cause: `no connection to ${place} came about within ${connectTimeout} ms`,
        cure: `a firewall that drops packets looks like that, and so does a host that is down; if the way is only slow, raise realms.directory.connectTimeout. ${ports}`,
      }
  }
}

function noHandshake(
  cause: unknown,
  words: string | undefined,
  { address, startTls, connectTimeout }: Terms,
): Diagnosis {
  const place = placeOf(address)
  const how = address.secure || !startTls ? '' : ' after StartTLS'
  if (codeOf(cause) === 'ETIMEDOUT')
    return {
      code: 'tls-silent',
      cause: `${place} took the connection, and did not shake hands${how} within ${connectTimeout} ms`,
      cure: 'the server hangs, or something that is no directory listens there; if it is only slow, raise realms.directory.connectTimeout',
    }
  if (words?.includes('TLS version') || words?.includes('cipher'))
    return {
      code: 'tls-too-old',
      cause: `${place} and the gateway have no version or cipher of TLS in common`,
      cure: 'the gateway speaks TLS 1.2 and 1.3 with a directory; switch one of them on there',
    }
  return {
    code: 'tls-failed',
    cause: `no TLS with ${place}${how}: ${words ?? causeLine(cause)}`,
    cure: `look whether the port is right: ${ports}; the log of the directory knows more`,
  }
}

function cut(step: DirectoryStep, cause: unknown, terms: Terms): Diagnosis {
  const { address, readTimeout } = terms
  const said = causeLine(cause)
  // GnuTLS sends no alert (conversation.ts); in TLS 1.3 the handshake is over by then.
  if (/without a word; it may want a client certificate/.test(said)) {
    const { code, cause: why, cure } = clientCertificate(terms)
    return { code, cause: `the server shook hands, and hung up at the first word: most likely ${why}`, cure }
  }
  if (cause instanceof TooMuch)
    return {
      code: 'too-much',
      cause: `the answer is larger than the gateway takes: ${said}`,
      cure: 'ask for less: a narrower base, userFilter or groupFilter',
    }
  if (/within the time/.test(said))
    return {
      code: 'no-answer-in-time',
      cause: `${placeOf(address)} took the question and did not answer it within ${readTimeout} ms`,
      cure:
        step === 'search' || step === 'referral'
          ? 'index the attributes of the filter in the directory, or search below a narrower base; if it may take so long, raise realms.directory.readTimeout'
          : 'the directory is overloaded, or waits for another server; if it may take so long, raise realms.directory.readTimeout',
    }
  return {
    code: 'broken-off',
    cause: `the conversation with ${placeOf(address)} broke off: ${said}`,
    cure: 'look into the log of the directory at this time, and at what stands on the way (load balancer, firewall)',
  }
}

const codeOf = (cause: unknown): string => (cause instanceof Error && 'code' in cause ? String(cause.code) : '')

/** Of what was thrown between the steps: by a rule for referrals, or by the site's own module. */
export function otherCause(fault: Fault): Diagnosis {
  const cause = fault.message.replace(`${fault.code}: `, '').replace('searching the directory: ', '')
  if (/refer|lies at/.test(cause))
    return {
      code: 'referral',
      cause,
      cure: 'name the server that holds this part in realms.directory.urls, and write referral: follow; or write a base that this server holds',
    }
  return { code: fault.code, cause: causeLine(fault).replace(`${fault.code}: `, ''), cure: 'look at what this names' }
}
