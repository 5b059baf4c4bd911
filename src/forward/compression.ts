/**
 * Compresses answers on their way out, off the event loop, and no more at a time than the threads can bear.
 *
 * Whoever would have to wait for long gets the answer as it is. A body that is kept by the cache is packed once, and its
 * packed form is kept beside it.
 */
import type { Readable, Transform, Writable } from 'node:stream'
import { promisify } from 'node:util'
import {
  brotliCompress,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  gzip,
  zstdCompress,
} from 'node:zlib'
import type { HttpUpstreamSection } from '../config/upstream.ts'
import { takeTurns } from '../kernel/turns.ts'
import type { Exchange, HeaderList } from '../listener/exchange.ts'
import type { UpstreamResponse } from '../upstream/upstream.ts'
import { compressibleContent, isWorthIt, type Packing, packedHeaders, packingFor } from './compressible.ts'
import { createLinkRates } from './link-rate.ts'
import { type Look, pour } from './pour.ts'

export interface Compression {
  /** Undefined: an answer that is the same for whatever a client takes. */
  plan(exchange: Exchange, answer: UpstreamResponse): Plan | undefined
  /** Notes how fast the client takes an answer. @param sink  absent: all of it has been given */
  watch(exchange: Exchange, sink?: Writable): void
}

export interface Plan {
  /** Undefined: as it is, for this client and just now. */
  readonly packing: Packing | undefined
  /** The body packed; undefined: as it is. */
  whole(answer: UpstreamResponse, body: Buffer): Promise<Buffer | undefined>
  /** Resolves when the last byte is out, as `pour` does. */
  pour(body: Readable, sink: Writable, look?: Look): Promise<void>
}

/** Bodies that are packed while they pass: a viewer asks for a hundred at once, and over a slow line all of them are there for seconds. */
const streamsAtOnce = 160
/** Bodies that are packed in one piece, and that may wait for it: 3 ms each. zlib's threads are also the file system's. */
const wholes = { atOnce: 2, waiting: 64 }
/** Less is saved: not worth the unpacking. */
const worthwhile = 0.95

// A window of 64 kB: 0.43 MB for each body; the usual one takes 0.82, and saves half a hundredth more.
const zstd = { params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_windowLog]: 16 } }
const brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: 1, [constants.BROTLI_PARAM_LGWIN]: 18 } }
const fastest = { level: 1 }

const packers: Readonly<Record<Packing, (body: Buffer) => Promise<Buffer>>> = {
  zstd: body => promisify(zstdCompress)(body, zstd),
  br: body => promisify(brotliCompress)(body, brotli),
  gzip: body => promisify(gzip)(body, fastest),
}
const streams: Readonly<Record<Packing, () => Transform>> = {
  zstd: () => createZstdCompress(zstd),
  br: () => createBrotliCompress(brotli),
  gzip: () => createGzip(fastest),
}

/** @returns undefined where every answer goes out as it came */
export function createCompression({ kind, compress: mode = 'never' }: HttpUpstreamSection): Compression | undefined {
  if (mode === 'never') return undefined
  const links = createLinkRates()
  const inTurn = takeTurns({ ...wholes, about: 'compression' })
  let [streaming, packed] = [0, 0]

  async function pack(body: Buffer, packing: Packing): Promise<Buffer> {
    packed++
    try {
      const smaller = await inTurn(() => packers[packing](body))
      return smaller.length < body.length * worthwhile ? smaller : body
    } finally {
      packed--
    }
  }

  return {
    plan({ request, connection }, answer) {
      const content = compressibleContent(kind, answer)
      // What is unchanged may be there in several forms.
      if (content === undefined && answer.status !== 304) return undefined
      const liked = content && packingFor(request.headers)
      const isWanted = content && liked && isWorthIt(content, liked, mode, links.rateOf(connection))
      const hasTurn = Buffer.isBuffer(answer.body) ? packed < wholes.atOnce + wholes.waiting : streaming < streamsAtOnce
      const packing = isWanted && hasTurn ? liked : undefined
      return {
        packing,
        async whole({ formOf }, body) {
          if (packing === undefined) return undefined
          const make = () => pack(body, packing)
          const smaller = await (formOf === undefined ? make() : formOf(packing, make))
          return smaller === body ? undefined : smaller
        },
        async pour(body, sink, look) {
          if (packing === undefined) return await pour(body, sink, look)
          const packer = streams[packing]()
          streaming++
          try {
            await Promise.all([pour(body, packer, look), pour(packer, sink)])
          } finally {
            streaming--
          }
        },
      }
    },
    watch(exchange, sink) {
      if (mode === 'auto') links.watch(exchange, sink === undefined ? () => true : () => sink.writableLength > 0)
    },
  }
}

/** @param packed  whether the body goes out packed */
export function plannedHeaders(headers: HeaderList, plan: Plan | undefined, packed: boolean): HeaderList {
  if (plan === undefined) return headers
  const vary = [...headers, ['vary', 'Accept-Encoding'] as const]
  return packed && plan.packing !== undefined ? packedHeaders(vary, plan.packing) : vary
}
