/**
 * Carries a WebSocket between two connections, and can say goodbye to both: a closing frame at the end of the frame that
 * is under way, in each direction.
 *
 * Frames are passed on as they are; of each only the head is read, to know where it ends. Nothing is held beyond what the
 * sockets buffer: a side that does not read stops the other one. Either side's end is passed on; either side's failure
 * ends both.
 *
 * Source: RFC 6455 5.3 (clients mask), 5.5.1 (close), 7.1.1 (the server hangs up first), 7.4.1 (1001, 1008).
 */
import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { passes } from '../kernel/passing.ts'
import { closeSoon } from '../listener/last-words.ts'
import { FrameBoundary } from './frame-boundary.ts'

/** Milliseconds that a frame in the middle has to come to its end. */
const lastFrame = 1_000
/** Milliseconds from the beginning of the end until whoever has not answered is hung up on. */
const answering = 2_000
/** Milliseconds that a side has to take its last bytes and to hang up. */
const hangingUp = 500

export interface Goodbye {
  /** RFC 6455 7.4.1: going away, or a policy that does not let this go on. */
  readonly code: 1001 | 1008
  /** For people: a few plain words. */
  readonly reason: string
}

interface WebSocketSides {
  readonly client: Duplex
  readonly upstream: Duplex
  /** What came behind the handshakes. */
  readonly first: { readonly fromClient: Buffer; readonly fromUpstream: Buffer }
}

export interface CarriedWebSocket {
  /** Says goodbye; whatever becomes of it, both connections are closed three seconds later. */
  end(goodbye: Goodbye): void
  /** Whether messages passed, either way, since this was asked last. Pings are none. */
  moved(): boolean
  /** Both connections are closed. */
  readonly closed: Promise<unknown>
}

/** @param mask  absent: from a server, which does not mask */
export function closingFrame({ code, reason }: Goodbye, mask?: Buffer): Buffer {
  const payload = Buffer.concat([Buffer.of(code >> 8, code & 0xff), Buffer.from(reason)])
  if (payload.length > 125) throw new Error('a control frame has no room for so many words')
  if (mask === undefined) return Buffer.concat([Buffer.of(0x88, payload.length), payload])
  const masked = payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0))
  return Buffer.concat([Buffer.of(0x88, 0x80 | payload.length), mask, masked])
}

/** One direction. */
interface Lane {
  readonly from: Duplex
  readonly to: Duplex
  readonly frames: FrameBoundary
  readonly goodbye: (goodbye: Goodbye) => Buffer
  /** `to` has had the last bytes that it will get. */
  isOver: boolean
}

export function carryWebSocket({ client, upstream, first }: WebSocketSides): CarriedWebSocket {
  const lane = (from: Duplex, to: Duplex, goodbye: Lane['goodbye']): Lane => ({
    ...{ from, to, goodbye },
    ...{ frames: new FrameBoundary(), isOver: false },
  })
  const down = lane(upstream, client, goodbye => closingFrame(goodbye))
  // The application behind learns that its client is gone; why is between the client and the gate.
  const up = lane(client, upstream, () => closingFrame({ code: 1001, reason: '' }, randomBytes(4)))
  const lanes = [down, up]
  let ending: Goodbye | undefined

  const cut = () => {
    client.destroy()
    upstream.destroy()
  }
  const hungUp = new Set<Duplex>()
  const hangUp = (side: Duplex) => {
    if (hungUp.has(side)) return
    hungUp.add(side)
    side.end()
    setTimeout(() => side.destroy(), hangingUp).unref()
  }
  /** The last word that way, where nothing is torn apart by it. */
  function sayGoodbye(one: Lane, goodbye: Goodbye) {
    if (one.isOver || !one.frames.isHere) return
    one.isOver = true
    if (!one.frames.isClosed && one.to.writable) one.to.write(one.goodbye(goodbye))
    one.from.resume()
  }
  /** Who has heard it and has answered: nothing more is to come. */
  function hangUpOnWhoAnswered() {
    if (down.isOver && up.frames.isClosed) hangUp(client)
    if (up.isOver && down.frames.isClosed) hangUp(upstream)
  }
  /** What comes for a side that has ended already is thrown away. */
  function write(one: Lane, chunk: Buffer) {
    if (chunk.length > 0 && one.to.writable && !one.to.write(chunk)) one.from.pause()
  }
  function pass(one: Lane, chunk: Buffer) {
    passes(chunk.length)
    if (ending === undefined) {
      one.frames.saw(chunk)
      write(one, chunk)
      return
    }
    const rest = one.isOver ? 0 : one.frames.sawToEnd(chunk)
    write(one, chunk.subarray(0, rest))
    sayGoodbye(one, ending)
    // Thrown away; only whether the other side says goodbye too is looked for.
    one.frames.saw(chunk.subarray(rest))
    hangUpOnWhoAnswered()
  }
  function sawEnd(one: Lane) {
    if (ending !== undefined) hangUp(one.from)
    if (!one.isOver) one.to.end()
  }
  function sawClose(one: Lane) {
    if (one.isOver) return // has heard goodbye, and has its time to answer
    const isOrderly = one.from.readableEnded && one.from.writableFinished
    if (!isOrderly) return void one.to.destroy()
    // What is on its way still arrives.
    one.to.resume()
    one.to.end(() => closeSoon(one.to))
  }

  for (const side of [client, upstream]) side.on('error', cut)
  const closed = lanes.map(
    one =>
      new Promise<void>(resolve => {
        const over = () => {
          sawClose(one)
          resolve()
        }
        // Either may have gone while the other was being waited for.
        if (one.from.closed) over()
        else one.from.once('close', over)
        if (one.from.readableEnded) sawEnd(one)
        else one.from.once('end', () => sawEnd(one))
      }),
  )
  if (first.fromUpstream.length > 0) pass(down, first.fromUpstream)
  if (first.fromClient.length > 0) pass(up, first.fromClient)
  for (const one of lanes) {
    one.from.on('data', (chunk: Buffer) => pass(one, chunk))
    one.to.on('drain', () => one.from.resume())
  }

  return {
    closed: Promise.all(closed),
    end(goodbye) {
      if (ending !== undefined) return
      ending = goodbye
      for (const one of lanes) sayGoodbye(one, goodbye)
      hangUpOnWhoAnswered()
      if (down.frames.isLost) return cut()
      if (up.frames.isLost) upstream.destroy()
      setTimeout(() => {
        for (const { to, isOver } of lanes) if (!isOver) to.destroy()
      }, lastFrame).unref()
      setTimeout(() => {
        for (const side of [client, upstream]) hangUp(side)
      }, answering).unref()
    },
    moved() {
      const did = lanes.some(({ frames }) => frames.carriedData)
      for (const { frames } of lanes) frames.carriedData = false
      return did
    },
  }
}
