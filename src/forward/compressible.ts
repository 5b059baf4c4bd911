/**
 * Which answers may be compressed, and as what: a decision about headers, and nothing else.
 *
 * The length of a compressed answer gives away what it holds beside something that the asker chose (BREACH). So pages, and
 * whatever else may hold a token and repeat what was sent, are never compressed: what is left is DICOM JSON, pixels, and of
 * an Orthanc its JSON and scripts, which hold no token. Source: DICOM PS3.18 8.7.3 (transfer syntaxes), breachattack.com,
 * RFC 9110 8.4, 8.8.3.3; RFC 9111 5.2.2.6 (no-transform).
 */
import type { UpstreamKind } from '../config/upstream.ts'
import { type HeaderList, headerValues } from '../listener/exchange.ts'
import type { UpstreamResponse } from '../upstream/upstream.ts'
import { chooseCoding } from '../viewer/content-coding.ts'

export type Packing = 'zstd' | 'br' | 'gzip'

/** `text` shrinks to a thirtieth and costs nearly nothing; `pixels` to a half, for 3 ms of a processor. */
export type Content = 'text' | 'pixels'

/** Bytes. Below, the headers outweigh what is saved. */
const smallest = 1_024

const dicomJson = /^application\/dicom\+json\s*(?:;|$)/i
const orthancText = /^(?:application\/(?:json|javascript|x-javascript)|text\/(?:javascript|css))\s*(?:;|$)/i
const parts = /^multipart\/related\s*;.*\btype="?application\/octet-stream\b/i
/** Implicit and explicit little endian, explicit big endian; all others are compressed already. */
const plainSyntaxes = new Set(['1.2.840.10008.1.2', '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.2'])

function contentOf(kind: UpstreamKind, type: string): Content | undefined {
  if (dicomJson.test(type) || (kind === 'orthanc' && orthancText.test(type))) return 'text'
  if (!parts.test(type)) return undefined
  // Without a word it is explicit little endian.
  const syntax = /transfer-syntax="?([0-9.*]+)/i.exec(type)?.[1] ?? '1.2.840.10008.1.2.1'
  return plainSyntaxes.has(syntax) ? 'pixels' : undefined
}

/** Undefined: never to be compressed, whoever asks. */
export function compressibleContent(
  kind: UpstreamKind,
  { status, headers, body }: Pick<UpstreamResponse, 'status' | 'headers' | 'body'>,
): Content | undefined {
  const of = (name: string) => headerValues(headers, name)
  const forbidden = [
    'set-cookie',
    'content-encoding',
    'content-range',
    'digest',
    'content-digest',
    'repr-digest',
    'content-md5',
  ]
  if (status !== 200 || forbidden.some(name => of(name).length > 0)) return undefined
  if (of('cache-control').some(value => /\bno-transform\b/i.test(value))) return undefined
  const [type, ...more] = of('content-type')
  if (type === undefined || more.length > 0) return undefined
  const length = Buffer.isBuffer(body) ? body.length : Number(of('content-length')[0] ?? Number.POSITIVE_INFINITY)
  return length < smallest ? undefined : contentOf(kind, type)
}

/** What the client would have it packed as; undefined: not at all. Liked alike, what costs least is first. */
export function packingFor(requestHeaders: HeaderList): Packing | undefined {
  // Who takes anything (`*`) need not know what is new.
  const named = headerValues(requestHeaders, 'accept-encoding').join().toLowerCase()
  const offered = (['zstd', 'br', 'gzip'] as const).filter(coding => coding === 'gzip' || named.includes(coding))
  const chosen = chooseCoding<Packing>(requestHeaders, [...offered, 'identity'])
  return chosen === 'identity' ? undefined : chosen
}

/**
 * Bytes in a second below which a link gains by packed pixels: half of where it would break even, since one processor
 * serves many. Measured with frames of a CT (512 x 512, 16 bit) on one core of an AMD EPYC: zstd 195 MB/s to 0.58 of the
 * size, brotli 150 to 0.56, gzip 64 to 0.53, each at level 1.
 */
const gainsBelow: Readonly<Record<Packing, number>> = { zstd: 40e6, br: 32e6, gzip: 15e6 }

/** @param rate  bytes in a second that the link was seen to carry; undefined: it was never seen to be what is waited for */
export const isWorthIt = (
  content: Content,
  packing: Packing,
  mode: 'auto' | 'always',
  rate: number | undefined,
): boolean => mode === 'always' || content === 'text' || (rate !== undefined && rate < gainsBelow[packing])

/** A form for each coding, and a validator that says so: equal in meaning, not in bytes. */
export function packedHeaders(headers: HeaderList, packing: Packing): HeaderList {
  const left = headers.filter(([name]) => name !== 'content-length' && name !== 'accept-ranges')
  const weak = left.map(
    ([name, value]) => [name, name === 'etag' && !value.startsWith('W/') ? `W/${value}` : value] as const,
  )
  return [...weak, ['content-encoding', packing]]
}
