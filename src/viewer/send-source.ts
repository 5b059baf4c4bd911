/**
 * Sends a file, or the part of it that was asked for.
 *
 * Small files go out at once; above 1 MB they are streamed at the client's pace, and reading stops when the client
 * goes. Not to forget: a file that turns out shorter than it was is cut off, never ended as if it were whole.
 */
import { pipeline } from 'node:stream/promises'
import { Fault } from '../kernel/fault.ts'
import { abortSignalOf } from '../kernel/signal.ts'
import { ClientGone } from '../listener/bodies.ts'
import type { Exchange, HeaderList } from '../listener/exchange.ts'
import type { ByteRange } from './byte-range.ts'
import { openFound, readSource, type Source, sizeOf } from './viewer-file.ts'

const streamedAbove = 1024 ** 2

export async function sendSource(
  exchange: Exchange,
  source: Source,
  headers: HeaderList,
  range: ByteRange | 'whole' | 'beyond' = 'whole',
): Promise<void> {
  const { reply } = exchange
  const size = sizeOf(source)
  if (range === 'beyond') return reply.send(416, [...headers, ['content-range', `bytes */${size}`]], '')

  const { first, last } = range === 'whole' ? { first: 0, last: size - 1 } : range
  const status = range === 'whole' ? 200 : 206
  const described: HeaderList =
    range === 'whole' ? headers : [...headers, ['content-range', `bytes ${first}-${last}/${size}`]]

  const length = last - first + 1
  if (source.kind === 'memory' || length <= streamedAbove) {
    const bytes = source.kind === 'memory' ? source.bytes : await readPart(source, first, length)
    return reply.send(status, described, source.kind === 'memory' ? bytes.subarray(first, last + 1) : bytes)
  }
  await stream(exchange, source.file, { first, last }, status, [...described, ['content-length', String(length)]])
}

async function readPart(source: Extract<Source, { kind: 'disk' }>, first: number, length: number): Promise<Buffer> {
  if (length === source.size) return await readSource(source)
  await using handle = await openFound(source.file)
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, first)
  if (bytesRead < length) throw new Fault('viewer-missing', { about: `${source.file} is shorter than it was` })
  return buffer
}

async function stream(
  { request, reply, signal }: Exchange,
  file: string,
  { first, last }: ByteRange,
  status: number,
  headers: HeaderList,
): Promise<void> {
  if (request.method === 'HEAD') {
    reply.head(status, headers).end()
    return
  }
  await using handle = await openFound(file)
  const bytes = handle.createReadStream({ start: first, end: last, autoClose: false })
  const body = reply.head(status, headers)
  try {
    await pipeline(bytes, body, { signal: abortSignalOf(signal), end: false })
  } catch (cause) {
    if (signal.aborted || cause instanceof ClientGone) return // nobody's fault
    reply.abort()
    throw new Fault('viewer-missing', { cause, about: file })
  }
  if (bytes.bytesRead < last - first + 1) {
    reply.abort()
    throw new Fault('viewer-missing', { about: `${file} is shorter than it was` })
  }
  body.end()
}
