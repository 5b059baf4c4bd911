/**
 * Carries bytes between two connections until both are closed: half-close, back-pressure, an idle limit.
 *
 * It takes a permit and judges nobody. Nothing is held beyond what the sockets buffer: a side that does not read stops
 * the other one. An end is passed on as an end only when it was one; whatever broke is cut on both sides, so that half an
 * image never looks whole. Source: RFC 9293 3.6 (half-close), RFC 8446 6.1.
 */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { passes } from '../kernel/passing.ts'
import type { StreamPermit } from '../policy/decide.ts'

/** Looks at what passes one way. */
export interface Inspector {
  take(chunk: Buffer): Taken
  /** Whether an end here would be an end, and not a break. */
  whole(): boolean
}

export interface Taken {
  /** Goes on. */
  readonly pass: Buffer
  /** Nothing more goes on, either way; the last words on and back. Without a word back that side is cut. */
  readonly stop?: { readonly detail: string; readonly on: Buffer; readonly back: Buffer | undefined }
}

export type SpliceEnding = 'complete' | 'client-gone' | 'upstream-gone' | 'broken-off' | 'nonsense' | 'idle'

export interface Spliced {
  readonly ending: SpliceEnding
  readonly detail?: string
}

export interface SpliceTerms {
  readonly permit: StreamPermit
  readonly client: TLSSocket
  readonly upstream: Socket
  /** Milliseconds without a byte either way. */
  readonly idle: number
  readonly fromClient?: Inspector
  readonly fromUpstream?: Inspector
  /** Told of bytes as they go on. */
  carried(stream: string, direction: 'to-upstream' | 'to-client', bytes: number): void
}

/** Once one side has said all, the other has so long between two bytes, or `idle` where that is shorter. */
const afterHalfClose = 5 * 60_000
/** Milliseconds to take the last words and hang up. */
const lastWords = 2_000

export function splice(terms: SpliceTerms): Promise<Spliced> {
  const { permit, client, upstream, idle } = terms
  return new Promise(resolve => {
    let ended: Spliced | undefined
    const cut = (ending: SpliceEnding, detail?: string) => {
      ended ??= detail === undefined ? { ending } : { ending, detail }
      client.destroy()
      // An orderly end would make a broken transfer look whole.
      upstream.resetAndDestroy()
    }

    function carry(direction: 'to-upstream' | 'to-client', inspector: Inspector | undefined): void {
      const [from, to] = direction === 'to-upstream' ? [client, upstream] : [upstream, client]
      from.on('data', (chunk: Buffer) => {
        passes(chunk.length)
        if (ended !== undefined) return // what comes after the last words is thrown away
        const { pass, stop } = inspector?.take(chunk) ?? { pass: chunk }
        if (pass.length > 0) {
          terms.carried(permit.stream, direction, pass.length)
          if (!to.write(pass)) from.pause()
        }
        if (stop === undefined) return
        ended = { ending: 'nonsense', detail: stop.detail }
        to.end(stop.on)
        if (stop.back === undefined) from.destroy()
        else from.end(stop.back)
        for (const side of [from, to]) side.resume()
        setTimeout(() => cut('nonsense'), lastWords).unref()
      })
      to.on('drain', () => from.resume())
      const over = () => {
        if (ended !== undefined) return
        if (inspector?.whole() === false) return cut('broken-off', `${direction} in the middle of a PDU`)
        for (const side of [from, to]) side.setTimeout(Math.min(idle, afterHalfClose))
        to.end()
      }
      // Node tells of an end at once where nothing waits to be read, also when nobody listens yet.
      if (from.readableEnded) over()
      else from.once('end', over)
    }

    let open = 2
    const watch = (side: Socket, gone: SpliceEnding) => {
      let why: string | undefined
      side.on('error', (error: Error & { code?: string }) => {
        why = error.code ?? error.message
      })
      side.setTimeout(idle, () => cut('idle'))
      side.once('close', () => {
        // Both halves were over: the other side may still be taking its last bytes.
        const orderly = side.readableEnded && side.writableFinished && why === undefined
        if (!orderly && ended === undefined) cut(gone, why)
        if (--open === 0) resolve(ended ?? { ending: 'complete' })
      })
    }
    watch(client, 'client-gone')
    watch(upstream, 'upstream-gone')
    carry('to-upstream', terms.fromClient)
    carry('to-client', terms.fromUpstream)
    for (const side of [client, upstream]) side.resume()
  })
}
