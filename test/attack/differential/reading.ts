/**
 * What a server that follows RFC 9112 to the letter would take the bytes of one connection for.
 *
 * It stands on the reader of the fixtures, which knows nothing of llhttp, and adds what a gate must refuse although the
 * bytes can be read: no clear host, a target for somebody else, control characters. A second reading is that of careless
 * servers: where they would see another end of the body than the strict one, the bytes are ambiguous.
 *
 * Source: RFC 9112 2.2 (empty lines), 3.2, 6.3, 9.6 (nothing behind close); RFC 9110 5.5 (field values).
 */
import { createRequestReader, type RequestHead } from '../../fixture/request-reader.ts'

export interface Reading {
  readonly method: string
  /** Origin-form, in the one spelling that `comparable` gives. */
  readonly target: string
  /** latin1, without the framing of chunks. */
  readonly body: string
  readonly complete: boolean
  readonly head: RequestHead
  /** Where it ends in the bytes of the connection. */
  readonly end: number
}

/** One spelling of a target: unreserved characters plain, other escapes in capitals, the query as it is. */
export function comparable(target: string): string {
  const mark = target.indexOf('?')
  const path = mark === -1 ? target : target.slice(0, mark)
  const plain = path.replace(/%([0-9a-f]{2})/gi, (whole, hex) => {
    const char = String.fromCharCode(Number.parseInt(hex, 16))
    return /[A-Za-z0-9\-._~]/.test(char) ? char : whole.toUpperCase()
  })
  return plain + target.slice(path.length)
}

/** Undefined: a gate that follows the rules does not pass it on. */
export function originForm({ target, rawHeaders }: Pick<RequestHead, 'target' | 'rawHeaders'>): string | undefined {
  const host = rawHeaders.find(([name]) => name.toLowerCase() === 'host')?.[1].toLowerCase() ?? ''
  if (!/^([a-z0-9]([a-z0-9._-]*[a-z0-9])?\.?|\[[0-9a-f:.]+\])(:\d{1,5})?$/.test(host)) return undefined
  if (target.startsWith('/')) return comparable(target)
  const [, named, rest = ''] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target) ?? []
  if (named?.toLowerCase() !== host) return undefined
  return comparable(rest.startsWith('/') ? rest : `/${rest}`)
}

const closes = ({ rawHeaders }: RequestHead): boolean =>
  rawHeaders.some(([name, value]) => name.toLowerCase() === 'connection' && /(^|,)\s*close\s*(,|$)/i.test(value))

const garbled = ({ rawHeaders }: RequestHead): boolean =>
  rawHeaders.some(([, value]) => /[\x00-\x08\x0a-\x1f\x7f]/.test(value))

/** The requests on a connection, up to the first byte that leaves a doubt. */
export function readConnection(sent: Buffer): Reading[] {
  const readings: Reading[] = []
  const reader = createRequestReader()
  for (let unread = sent; ; ) {
    // Empty lines before a request line are no part of it (RFC 9112 2.2).
    while (unread[0] === 0x0d || unread[0] === 0x0a) unread = unread.subarray(1)
    // Several blanks may stand for one (RFC 9112 3), and llhttp takes them before a target.
    const [blanks] = /^[A-Z-]+ ( +)/.exec(unread.toString('latin1', 0, 300))?.slice(1) ?? []
    if (blanks !== undefined) {
      const at = unread.indexOf(0x20)
      unread = Buffer.concat([unread.subarray(0, at), unread.subarray(at + blanks.length)])
    }
    if (unread.length === 0) return readings
    let head: RequestHead | undefined
    const parts: Buffer[] = []
    let complete = false
    for (const event of reader.read(unread)) {
      if (event.kind === 'malformed') return head === undefined ? readings : [...readings, made(false)]
      if (event.kind === 'head') head = event.head
      if (event.kind === 'body') parts.push(event.bytes)
      complete = event.kind === 'end'
      if (complete || (head !== undefined && mayNotPass(head))) break
    }
    if (head === undefined || mayNotPass(head)) return readings
    unread = reader.rest()
    readings.push(made(complete))
    if (!complete || closes(head)) return readings

    function made(complete: boolean): Reading {
      if (head === undefined) throw new Error('a request has a head')
      // It is refused by its method: well read, but nothing that may arrive.
      const target = head.method === 'TRACE' ? '' : (originForm(head) ?? '')
      const body = Buffer.concat(parts).toString('latin1')
      return { method: head.method, target, body, complete, head, end: sent.length - unread.length }
    }
  }
}

const mayNotPass = (head: RequestHead): boolean =>
  head.version !== 'HTTP/1.1' || head.method === 'CONNECT' || originForm(head) === undefined || garbled(head)

/**
 * In how many ways servers may understand where the body of this head ends, or whom it is for.
 *
 * @returns one reading where all agree with `framing`
 */
export function carelessReadings({ rawHead, framing }: Pick<RequestHead, 'rawHead' | 'framing'>): string[] {
  const fields = rawHead
    .split(/\r\n|\r|\n/)
    .slice(1)
    .map(line => {
      const colon = line.indexOf(':')
      // CGI and WSGI fold the underscore into the dash, others trim whatever is no letter.
      const name = line
        .slice(0, Math.max(colon, 0))
        .trim()
        .toLowerCase()
        .replace(/[^a-z0-9]/g, '-')
      return [name, line.slice(colon + 1).trim()] as const
    })
  const all = (name: string) => fields.filter(([field]) => field === name).map(([, value]) => value)
  const lengths = all('content-length').map(value => `length ${Number.parseInt(value, 10)}`)
  const codings = all('transfer-encoding').map(value => (/chunked/i.test(value) ? 'chunked' : `coding ${value}`))
  const hosts = all('host').length === 1 ? [] : [`${all('host').length} hosts`]
  const ends = [...lengths, ...codings]
  const strict = framing === 'length' ? (lengths[0] ?? 'no length') : framing
  return [...new Set([strict, ...(ends.length === 0 ? ['none'] : ends), ...hosts])]
}
