/**
 * Heads of requests in the bytes of a connection.
 *
 * A client says the same headers again and again, and only its target changes: what was made of them is remembered for as
 * long as they come word by word, and is not made anew. Source: RFC 9112 2.2, 3.
 */
import { METHODS } from 'node:http'
import type { Limits } from '../config/listener.ts'
import { MessageHead } from '../http1/message-head.ts'
import { type FieldFacts, judgeFields } from './http1-request.ts'

const methods: ReadonlySet<string> = new Set(METHODS)
const headEnd = Buffer.from('\r\n\r\n')
const [lf, cr] = [10, 13]

interface RequestLine {
  readonly method: string
  /** As received. */
  readonly target: string
  /** HTTP/1.0. */
  readonly isOld: boolean
}

/** @param line  with its end */
function readLine(line: string): RequestLine | string {
  const first = line.indexOf(' ')
  const method = line.slice(0, first)
  if (first === -1 || !methods.has(method)) return 'no method'
  const second = line.indexOf(' ', first + 1)
  const target = line.slice(first + 1, second)
  if (!/^[\x21-\x7e]+$/.test(target)) return 'an odd target'
  const version = line.slice(second)
  if (version !== ' HTTP/1.1\r\n' && version !== ' HTTP/1.0\r\n') return 'no version that is spoken here'
  return { method, target, isOld: version === ' HTTP/1.0\r\n' }
}

/** What the headers say, whatever was asked for. */
export class RequestFields extends MessageHead {
  line: RequestLine | undefined

  protected override oddStart(text: string): string | undefined {
    const end = text.indexOf(' ')
    const isOdd = end === -1 ? !METHODS.some(method => method.startsWith(text)) : !methods.has(text.slice(0, end))
    return isOdd ? 'no method' : undefined
  }

  protected override readStart(text: string): number | string {
    const next = text.indexOf('\n') + 1
    const line = readLine(text.slice(0, next))
    if (typeof line === 'string') return line
    this.line = line
    this.isOld = line.isOld
    return next
  }
}

export interface RequestHead {
  readonly method: string
  readonly target: string
  /** The same objects for the same headers. */
  readonly fields: RequestFields
  readonly facts: FieldFacts
}

export interface HeadProblem {
  readonly status: 400 | 431
  readonly why: string
}

export class HeadReader {
  problem: HeadProblem | undefined
  /** Where the head ends in the bytes that were read last. */
  next = 0
  readonly #limits: Pick<Limits, 'headerSize' | 'headerCount'>
  /** A head that is not whole yet. */
  #text = ''
  #fields = new RequestFields()
  /** The CR of an empty line before a head has come. */
  #hasHalfLine = false
  /** The headers before these, from behind the request line to the empty line. */
  #known: { readonly bytes: Buffer; readonly fields: RequestFields; readonly facts: FieldFacts } | undefined

  constructor(limits: Pick<Limits, 'headerSize' | 'headerCount'>) {
    this.#limits = limits
  }

  /** Some of a head has come, and not all. */
  get isWithin(): boolean {
    return this.#text !== ''
  }

  /** Somebody who is silent for long need not be remembered. */
  forget(): void {
    this.#known = undefined
  }

  /** @returns undefined when more must come, or there is a problem */
  read(bytes: Buffer, from: number): RequestHead | undefined {
    if (this.#text !== '') return this.#goOn(bytes, from)
    const start = this.#skipEmptyLines(bytes, from)
    if (start === bytes.length || this.#hasHalfLine) {
      this.next = bytes.length
      return this.#hasHalfLine && start !== bytes.length ? this.#fail(400, 'a bare CR') : undefined
    }
    const known = this.#known
    if (known !== undefined) {
      const fieldsAt = bytes.indexOf(lf, start) + 1
      const end = fieldsAt + known.bytes.length
      if (fieldsAt > 0 && end <= bytes.length && end - start <= this.#limits.headerSize) {
        if (bytes.compare(known.bytes, 0, known.bytes.length, fieldsAt, end) === 0) {
          const line = readLine(bytes.toString('latin1', start, fieldsAt))
          if (typeof line === 'string') return this.#fail(400, line)
          if (line.isOld === known.fields.isOld) {
            this.next = end
            return { method: line.method, target: line.target, fields: known.fields, facts: known.facts }
          }
        }
      }
    }
    return this.#goOn(bytes, start)
  }

  /** Some clients of old end a body with one (RFC 9112 2.2). @returns where the head begins, if there is more */
  #skipEmptyLines(bytes: Buffer, from: number): number {
    let at = from
    for (; at < bytes.length; at++) {
      if (bytes[at] !== (this.#hasHalfLine ? lf : cr)) break
      this.#hasHalfLine = !this.#hasHalfLine
    }
    return at
  }

  #goOn(bytes: Buffer, from: number): RequestHead | undefined {
    const known = this.#text.length
    let isWhole: boolean
    if (known === 0) {
      const end = bytes.indexOf(headEnd, from)
      isWhole = end !== -1
      this.next = isWhole ? end + headEnd.length : bytes.length
      this.#text = bytes.toString('latin1', from, this.next)
    } else {
      this.#text += bytes.toString('latin1', from, Math.min(bytes.length, from + this.#limits.headerSize + 1))
      const end = this.#text.indexOf('\r\n\r\n', Math.max(0, known - 3))
      isWhole = end !== -1
      if (isWhole) this.#text = this.#text.slice(0, end + headEnd.length)
      this.next = from + this.#text.length - known
    }
    const text = this.#text
    if (text.length > this.#limits.headerSize) return this.#fail(431, 'a head that is too large')
    const fields = this.#fields
    if (!fields.read(text, isWhole)) return fields.problem === undefined ? undefined : this.#fail(400, fields.problem)
    this.#text = ''
    this.#fields = new RequestFields()
    if (fields.line === undefined) throw new Error('a head is whole without its first line')
    const facts = judgeFields(fields, this.#limits)
    this.#known = { bytes: Buffer.from(text.slice(text.indexOf('\n') + 1), 'latin1'), fields, facts }
    return { method: fields.line.method, target: fields.line.target, fields, facts }
  }

  #fail(status: HeadProblem['status'], why: string): undefined {
    this.problem = { status, why }
  }
}
