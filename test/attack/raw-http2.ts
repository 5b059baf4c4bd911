/**
 * One HTTP/2 request written byte by byte, for what no well-behaved client sends: names with blanks, capitals, line ends.
 */
import type { TestGateway } from '../fixture/gateway.ts'
import {
  block,
  data,
  endHeaders,
  endStream,
  frame,
  goAway,
  type Http2Field,
  headers,
  preface,
  readFrames,
  reset,
  settings,
} from './http2-frames.ts'
import { openRaw } from './raw-request.ts'

export { block, data, endHeaders, endStream, frame, goAway, type Http2Field, headers, preface, reset, settings }

export interface Http2Outcome {
  /** How the gateway took it: an answer, a reset of the stream, the end of the connection, or silence. */
  readonly came: 'answer' | 'reset' | 'goaway' | 'end' | 'nothing'
}

/** One request on a connection of its own. The pseudo-headers are the caller's too. */
export async function talkHttp2(
  gateway: TestGateway,
  fields: readonly Http2Field[],
  { body, trailers }: { body?: string; trailers?: readonly Http2Field[] } = {},
): Promise<Http2Outcome> {
  using line = await openRaw(gateway, { alpn: ['h2'] })
  const last = body === undefined && trailers === undefined
  await line.write(
    Buffer.concat([
      Buffer.from(preface, 'latin1'),
      frame(settings, 0, 0, Buffer.alloc(0)),
      frame(headers, endHeaders | (last ? endStream : 0), 1, block(fields)),
      ...(body === undefined ? [] : [frame(data, trailers === undefined ? endStream : 0, 1, Buffer.from(body))]),
      ...(trailers === undefined ? [] : [frame(headers, endHeaders | endStream, 1, block(trailers))]),
    ]),
  )
  let seen: Buffer = Buffer.alloc(0)
  for (const deadline = Date.now() + 3_000; Date.now() < deadline; ) {
    const { bytes, ended } = await line.read({ timeout: 200, until: /[\s\S]/ })
    seen = Buffer.concat([seen, bytes])
    const came = outcomeOf(seen)
    if (came !== undefined) return { came }
    if (ended === 'end' || ended === 'error') return { came: 'end' }
  }
  return { came: 'nothing' }
}

function outcomeOf(bytes: Buffer): Http2Outcome['came'] | undefined {
  for (const { type } of readFrames(bytes).frames) {
    if (type === headers) return 'answer'
    if (type === reset) return 'reset'
    if (type === goAway) return 'goaway'
  }
  return undefined
}

/** The four pseudo-headers of a plain request. */
export const pseudo = (gateway: TestGateway, method: string, path: string): Http2Field[] => [
  [':method', method],
  [':scheme', 'https'],
  [':authority', `localhost:${gateway.port}`],
  [':path', path],
]
