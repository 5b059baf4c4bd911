/**
 * Questions and answers over one connection, one after the other: bounded in bytes and in time, never opened again.
 *
 * One question at a time, so an answer cannot belong to another question, a bind cannot change who asks in the middle of
 * a search (RFC 4511 4.2.1), and whoever gives up ends the connection instead of leaving an answer in it.
 *
 * Not to forget: everything that comes in is from outside, even from a directory whose certificate is right. The first
 * byte that nobody asked for ends the connection.
 *
 * Source: RFC 4511 4.1.1 (numbers of messages), 4.3 (unbind), 4.4.1 (notice of disconnection).
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { UnbindRequest } from 'ldapts'
import { hasTooManyParts, messageEnd } from './message-shape.ts'
import { type Response, readResponse } from './response.ts'

/** 1 is that of StartTLS, which is asked before. */
const firstNumber = 2

/** The answer goes beyond a bound of ours: as likely a question that is too wide as a directory that is ill. */
export class TooMuch extends Error {}

export interface Question {
  /** The bytes to send, for a message of this number. */
  write(id: number): Buffer
  /** Told of every message of the answer; true: that was the last. What it throws ends the connection. */
  take(response: Response): boolean
  /** Milliseconds for the whole answer. */
  readonly within: number
  /** Bytes that may still come; counted down, so that several questions can share it. */
  readonly budget: { bytes: number }
}

interface Open {
  readonly question: Question
  readonly id: number
  readonly resolve: () => void
  readonly reject: (cause: unknown) => void
  readonly timer: NodeJS.Timeout
  heard: boolean
}

export class Conversation {
  readonly #socket: Socket
  #open: Open | undefined
  #id = firstNumber
  #ended = false
  #isWordless = true
  #unheard = false
  /** What came and is no whole message yet; joined only when enough of it is there to go on. */
  #chunks: Buffer[] = []
  #have = 0
  #need = 1

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true).setKeepAlive(true, 10_000)
    socket.on('data', chunk => this.#read(chunk))
    socket.on('error', cause => this.#end(cause))
    socket.on('end', () => this.#end(new Error(`the directory closed the connection${this.#wordless()}`)))
    socket.on('close', () => this.#end(new Error('the connection to the directory was lost')))
    if (socket.destroyed) this.#end(socket.errored ?? new Error('the connection to the directory was lost'))
  }

  /** Can be asked again. */
  get isOpen(): boolean {
    return !this.#ended && this.#open === undefined
  }

  /** It was lost before a single byte of the last answer came: the question may never have arrived. */
  get isLostUnheard(): boolean {
    return this.#unheard
  }

  /** Rejects with what ended the connection; resolves after the last message was taken. */
  ask(question: Question): Promise<void> {
    if (!this.isOpen) return Promise.reject(new Error('the connection to the directory was lost'))
    const id = this.#id++
    const bytes = question.write(id)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const late = () => this.#end(new Error('no whole answer within the time'), true)
    const timer = setTimeout(late, question.within)
    this.#open = { question, id, resolve, reject, timer, heard: false }
    // A timer of 1 ms could be outrun by whoever answers fast and without end.
    if (question.within <= 0) late()
    else this.#socket.write(bytes)
    return promise
  }

  /** Nobody asks for a while: it keeps no process alive. */
  rest(): void {
    this.#socket.unref()
  }

  wake(): void {
    this.#socket.ref()
  }

  /** Says goodbye where that makes sense; neither waits for it nor minds. */
  close(): void {
    if (!this.isOpen) this.#end(new Error('the question was given up'))
    else {
      this.#ended = true
      const socket = this.#socket.ref()
      setTimeout(() => socket.destroy(), 1_000).unref()
      socket.end(new UnbindRequest({ messageId: this.#id }).write(), () => socket.destroy())
    }
  }

  #read(chunk: Buffer): void {
    if (this.#ended) return
    try {
      this.#accept(chunk)
    } catch (cause) {
      this.#end(cause) // the asker gets it: from an event it would end the whole gateway
    }
  }

  /** Throws on whatever ends the conversation. */
  #accept(chunk: Buffer): void {
    const open = this.#open
    if (open === undefined) throw new Error('the directory spoke without being asked')
    open.heard = true
    this.#isWordless = false
    const { budget } = open.question
    budget.bytes -= chunk.length
    if (budget.bytes < 0) throw new TooMuch('the directory sent more bytes than the gateway takes')
    this.#chunks.push(chunk)
    this.#have += chunk.length
    while (this.#have >= this.#need) {
      const message = this.#next(budget.bytes)
      if (message === undefined) continue // #need has grown
      if (this.#open !== open) throw new Error('the directory spoke without being asked')
      if (open.question.take(belonging(message, open.id))) this.#settle(open)
    }
    // The answer is whole; what stands behind it belongs to nothing.
    if (this.#open === undefined && this.#have > 0) throw new Error('the directory spoke without being asked')
  }

  /** One whole message, taken off what has come; undefined: more is needed. */
  #next(budget: number): Buffer | undefined {
    const [first] = this.#chunks
    const all = first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks)
    const end = messageEnd(all)
    if (end === null) throw new Error('the directory sent what is no LDAP message')
    const isWhole = end !== undefined && end <= all.length
    const rest = isWhole ? all.subarray(end) : all
    this.#chunks = [rest]
    this.#have = rest.length
    this.#need = isWhole ? 1 : (end ?? all.length + 1)
    if (this.#need - this.#have > budget) throw new TooMuch('the directory announced more bytes than the gateway takes')
    return isWhole ? all.subarray(0, end) : undefined
  }

  /** GnuTLS hangs up so after a handshake without the certificate that it wants; OpenSSL sends an alert. */
  #wordless(): string {
    if (!this.#isWordless) return ''
    const isSecure = this.#socket instanceof TLSSocket
    return ` without a word${isSecure ? '; it may want a client certificate, or another one' : ''}`
  }

  #settle(open: Open): void {
    clearTimeout(open.timer)
    this.#open = undefined
    open.resolve()
  }

  #end(cause: unknown, isTime = false): void {
    const open = this.#open
    this.#open = undefined
    if (!this.#ended) this.#unheard = open?.heard === false && !isTime
    this.#ended = true
    this.#socket.destroy()
    this.#chunks = []
    if (open === undefined) return
    clearTimeout(open.timer)
    open.reject(cause)
  }
}

function belonging(message: Buffer, id: number): Response {
  if (hasTooManyParts(message)) throw new TooMuch('the directory sent more values at once than the gateway takes')
  const response = readResponse(message)
  if (response === undefined) throw new Error('the directory sent a broken LDAP message')
  if (response.id === id) return response
  if (response.id !== 0 || response.kind !== 'extended') throw new Error('the directory answered what nobody asked')
  throw new Error(`the directory hung up (code ${response.result.code}: ${response.result.message})`)
}
