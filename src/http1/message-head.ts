/**
 * The head of a message by the letter: a start line and headers, names in lower case, values as they came.
 *
 * Stricter than llhttp and never laxer, which fuzz tests hold it to: no folded lines, no blank before a colon, no control
 * characters, no version but 1.0 and 1.1, no transfer coding but `chunked`, a length once. It is fed text of one character for
 * each byte. Not to forget: whoever writes it is a stranger, and whoever reads the message behind ours goes by the same head.
 *
 * Source: RFC 9112 5, 6; RFC 9110 5.5, 5.6.2, 8.6; RFC 9112 9.3 (persistence).
 */

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

/** @returns where the text from `at` on is no longer what a line may hold */
export function endOfPlain(text: string, at: number): number {
  let end = at
  while (((kinds[text.charCodeAt(end)] ?? 0) & plain) !== 0) end++
  return end
}

const isBlank = (code: number): boolean => code === blank || code === tab

/** Blanks and tabs at both ends; to `trim` more than these is nothing, and a regular expression takes the square of their number. */
function withoutBlanks(text: string): string {
  let [from, end] = [0, text.length]
  while (isBlank(text.charCodeAt(from))) from++
  while (end > from && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(from, end)
}

export abstract class MessageHead {
  /** Bytes of the body, as announced. */
  length: number | undefined
  isChunked = false
  /** As the headers say: HTTP/1.1 without `close`, or HTTP/1.0 with `keep-alive`. */
  isKept = false
  /** Connection names `upgrade`. */
  wantsUpgrade = false
  /** Seconds that the other side keeps the connection when it is idle, if it says so. */
  keptFor: number | undefined
  /** HTTP/1.0. */
  isOld = false
  /** Why nobody can read it. */
  problem: string | undefined
  readonly headers: (readonly [name: string, value: string])[] = []
  #at = 0
  #isStarted = false
  #isClosing = false
  #isAlive = false

  /** @returns why a text that is not whole can become no head */
  protected abstract oddStart(text: string): string | undefined
  /** Reads the first line, which is all there. @returns where the next one begins, or what is wrong */
  protected abstract readStart(text: string): number | string

  /**
   * Goes on where it stopped.
   *
   * @param text     all of the head that has come
   * @param isWhole  it ends with the empty line
   * @returns        whether it is whole; false when more must come, or there is a problem
   */
  read(text: string, isWhole: boolean): boolean {
    const odd = isWhole ? undefined : this.oddStart(text)
    if (odd !== undefined) return this.#fail(odd)
    while (isWhole || text.includes('\n', this.#at)) {
      if (!this.#isStarted) {
        const next = this.readStart(text)
        if (typeof next === 'string') return this.#fail(next)
        this.#at = next
        this.#isStarted = true
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
    while (isBlank(text.charCodeAt(at))) at++
    const from = at
    at = endOfPlain(text, at)
    if (text.charCodeAt(at) !== cr || text.charCodeAt(at + 1) !== lf) return this.#fail('an odd header value')
    this.#at = at + 2
    const end = at
    while (at > from && isBlank(text.charCodeAt(at - 1))) at--
    const value = text.slice(from, at)
    this.headers.push([name, value])
    // To llhttp `chunked` with a tab behind it is another coding; elsewhere blanks at the end are nothing.
    if (at !== end && name === 'transfer-encoding') return this.#fail('a transfer coding but chunked')
    return this.#note(name, value)
  }

  /** The few headers that say where the message ends, and whether the connection goes on. */
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
          const option = withoutBlanks(part)
          if (option === 'close') this.#isClosing = true
          if (option === 'keep-alive') this.#isAlive = true
          if (option === 'upgrade') this.wantsUpgrade = true
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
    if (this.isChunked && this.isOld) return this.#fail('a transfer coding in HTTP/1.0')
    this.isKept = !this.#isClosing && (!this.isOld || this.#isAlive)
    return true
  }
}
