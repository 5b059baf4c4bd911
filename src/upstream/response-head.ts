/**
 * The head of an answer by the letter: status line and headers, names in lower case, values as they came.
 *
 * Stricter than llhttp and never laxer, which a fuzz test holds it to (test/upstream/differential): no folded lines, no blank
 * before a colon, no control characters, no version but 1.0 and 1.1, no transfer coding but `chunked`, a length once.
 * It is fed text of one character for each byte. Not to forget: whoever writes it is a stranger, and whoever reads the
 * answer behind ours goes by the same head.
 *
 * Source: RFC 9112 4, 5, 6; RFC 9110 5.5, 5.6.2, 8.6; RFC 9112 9.3 (persistence).
 */
import type { HeaderList } from '../listener/exchange.ts'

const [token, plain, upper] = [1, 2, 4]
/** What each byte may be part of. */
const kinds = new Uint8Array(256)
for (let code = 0; code < 256; code++) {
  const char = String.fromCharCode(code)
  if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(char)) kinds[code] = token
  if (/[\t\x20-\x7e\x80-\xff]/.test(char)) kinds[code] = (kinds[code] ?? 0) | plain
  if (/[A-Z]/.test(char)) kinds[code] = (kinds[code] ?? 0) | upper
}
const [tab, lf, cr, blank, colon] = [9, 10, 13, 32, 58]
const isDigit = (code: number) => code >= 48 && code <= 57

export class ResponseHead {
  status = 0
  /** Bytes of the body, as announced. */
  length: number | undefined
  isChunked = false
  /** As the headers say: HTTP/1.1 without `close`, or HTTP/1.0 with `keep-alive`. */
  isKept = false
  /** Seconds that the server keeps the connection when it is idle, if it says so. */
  keptFor: number | undefined
  /** Why nobody can read it. */
  problem: string | undefined
  readonly #headers: (readonly [string, string])[] = []
  #at = 0
  #isOld = false
  #isClosing = false
  #isAlive = false

  get headers(): HeaderList {
    return this.#headers
  }

  /**
   * Goes on where it stopped.
   *
   * @param text     all of the head that has come
   * @param isWhole  it ends with the empty line
   * @returns        whether it is whole; false when more must come, or there is a problem
   */
  read(text: string, isWhole: boolean): boolean {
    if (!isWhole && !'HTTP/1.'.startsWith(text.slice(0, 7))) return this.#fail('no status line')
    while (isWhole || text.includes('\n', this.#at)) {
      if (this.status === 0) {
        if (!this.#readStatus(text)) return false
      } else if (text.charCodeAt(this.#at) === cr) {
        if (text.charCodeAt(this.#at + 1) !== lf) return this.#fail('a bare CR')
        return this.#judge()
      } else if (!this.#readHeader(text)) return false
    }
    return false
  }

  #fail(problem: string): false {
    this.problem ??= problem
    return false
  }

  #readStatus(text: string): boolean {
    const minor = text[7]
    if (!text.startsWith('HTTP/1.') || (minor !== '0' && minor !== '1') || text[8] !== ' ')
      return this.#fail('no status line')
    const [first, second, third] = [text.charCodeAt(9), text.charCodeAt(10), text.charCodeAt(11)]
    if (!isDigit(first) || !isDigit(second) || !isDigit(third)) return this.#fail('no status')
    this.#isOld = minor === '0'
    let at = 12
    if (text.charCodeAt(at) === blank) while (((kinds[text.charCodeAt(at)] ?? 0) & plain) !== 0) at++
    if (text.charCodeAt(at) !== cr || text.charCodeAt(at + 1) !== lf) return this.#fail('an odd status line')
    this.status = (first - 48) * 100 + (second - 48) * 10 + third - 48
    if (this.status < 100) return this.#fail('a status below 100')
    this.#at = at + 2
    return true
  }

  #readHeader(text: string): boolean {
    const start = this.#at
    let at = start
    let seen = 0
    for (let kind = kinds[text.charCodeAt(at)] ?? 0; (kind & token) !== 0; kind = kinds[text.charCodeAt(at)] ?? 0) {
      seen |= kind
      at++
    }
    if (at === start || text.charCodeAt(at) !== colon) return this.#fail('an odd header name')
    const name = (seen & upper) === 0 ? text.slice(start, at) : text.slice(start, at).toLowerCase()
    at++
    while (text.charCodeAt(at) === blank || text.charCodeAt(at) === tab) at++
    const from = at
    while (((kinds[text.charCodeAt(at)] ?? 0) & plain) !== 0) at++
    if (text.charCodeAt(at) !== cr || text.charCodeAt(at + 1) !== lf) return this.#fail('an odd header value')
    this.#at = at + 2
    const end = at
    while (at > from && (text.charCodeAt(at - 1) === blank || text.charCodeAt(at - 1) === tab)) at--
    const value = text.slice(from, at)
    this.#headers.push([name, value])
    // To llhttp `chunked` with a tab behind it is another coding; elsewhere blanks at the end are nothing.
    if (at !== end && name === 'transfer-encoding') return this.#fail('a transfer coding but chunked')
    return this.#note(name, value)
  }

  /** The few headers that say where the answer ends, and whether the connection goes on. */
  #note(name: string, value: string): boolean {
    switch (name) {
      case 'content-length':
        if (this.length !== undefined) return this.#fail('two lengths')
        if (!/^\d{1,15}$/.test(value)) return this.#fail('a length that is none')
        this.length = Number(value)
        return true
      case 'transfer-encoding':
        if (this.isChunked || value.toLowerCase() !== 'chunked') return this.#fail('a transfer coding but chunked')
        this.isChunked = true
        return true
      case 'connection':
      case 'proxy-connection': // llhttp reads it as the same, and so may who wrote it
        for (const part of value.toLowerCase().split(',')) {
          const option = part.trim()
          if (option === 'close') this.#isClosing = true
          if (option === 'keep-alive') this.#isAlive = true
        }
        return true
      case 'keep-alive': {
        const seconds = /(?:^|[\s,;])timeout=(\d{1,9})/i.exec(value)?.[1]
        if (seconds !== undefined) this.keptFor = Number(seconds)
        return true
      }
      default:
        return true
    }
  }

  #judge(): boolean {
    if (this.isChunked && this.length !== undefined) return this.#fail('a length and a transfer coding')
    if (this.isChunked && this.#isOld) return this.#fail('a transfer coding in HTTP/1.0')
    this.isKept = !this.#isClosing && (!this.#isOld || this.#isAlive)
    return true
  }
}
