/**
 * Faults: what broke, ours or an upstream's. Never what the outside did wrong (that is a Denial, a value).
 *
 * One table gives each code its HTTP status and the text that a stranger may read. The cause goes to the log and
 * never to the client. Codes are stable: metrics, tests and manuals are written against them.
 */

interface FaultTerms {
  readonly status: 500 | 502 | 503 | 504
  /** What the client is told. Holds no address, name of a file, or credential. */
  readonly text: string
}

const table = {
  'upstream-unreachable': { status: 502, text: 'The server behind this gateway cannot be reached.' },
  'upstream-untrusted': { status: 502, text: 'The server behind this gateway did not prove its identity.' },
  'upstream-broken': { status: 502, text: 'The server behind this gateway gave an answer that cannot be passed on.' },
  'upstream-busy': {
    status: 503,
    text: 'The server behind this gateway has more work than it can take. Try again in a moment.',
  },
  'upstream-timeout': { status: 504, text: 'The server behind this gateway took too long to answer.' },
  'viewer-missing': { status: 503, text: 'The viewer is not installed on this gateway.' },
  'directory-unavailable': {
    status: 503,
    text: 'Sign-in is not possible at the moment: the directory does not answer.',
  },
  'directory-misconfigured': {
    status: 503,
    text: 'Sign-in is not possible: the directory settings of this gateway are wrong.',
  },
  'state-unavailable': { status: 503, text: 'The gateway cannot reach its own records at the moment.' },
  'audit-unavailable': {
    status: 503,
    text: 'The gateway cannot write its audit trail, and is set to refuse until it can.',
  },
  overloaded: { status: 503, text: 'The gateway has more work than it can take. Try again in a moment.' },
  stopping: { status: 503, text: 'The gateway is stopping. Try again in a moment.' },
  bug: { status: 500, text: 'Something went wrong inside the gateway.' },
} as const satisfies Record<string, FaultTerms>

export type FaultCode = keyof typeof table

export const faultCodes = Object.keys(table) as readonly FaultCode[] // safe: the keys of `table` are FaultCode by definition

export interface FaultDetail {
  readonly cause?: unknown
  /** For the log only: which upstream, which step. Never a secret. */
  readonly about?: string
}

export class Fault extends Error {
  override readonly name = 'Fault'
  readonly code: FaultCode
  readonly status: FaultTerms['status']
  readonly publicText: string

  constructor(code: FaultCode, detail: FaultDetail = {}) {
    const { cause, about } = detail
    super(about === undefined ? code : `${code}: ${about}`, cause === undefined ? undefined : { cause })
    this.code = code
    this.status = table[code].status
    this.publicText = table[code].text
  }
}

/** What anything thrown means for the client: a Fault as it stands, everything else a bug of ours. */
export const asFault = (thrown: unknown): Fault =>
  thrown instanceof Fault ? thrown : new Fault('bug', { cause: thrown })

/** For `catch` where what broke is told elsewhere, or tried again; a bug passes through. */
export function ignoreFault(thrown: unknown): void {
  if (!(thrown instanceof Fault)) throw thrown
}

/** The chain of causes as one line for the log: messages and codes, outermost first. */
export function causeLine(thrown: unknown): string {
  const parts: string[] = []
  for (
    let at: unknown = thrown;
    at !== undefined && parts.length < 6;
    at = at instanceof Error ? at.cause : undefined
  ) {
    if (!(at instanceof Error)) {
      parts.push(String(at))
      break
    }
    const code = 'code' in at && typeof at.code === 'string' && !at.message.includes(at.code) ? ` (${at.code})` : ''
    parts.push(`${at.message}${code}`)
  }
  return parts.join(' <- ')
}
