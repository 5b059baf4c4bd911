/**
 * Waits for the A-ASSOCIATE-RQ with which a DICOM connection must begin, and takes it whole or not at all.
 *
 * Whoever is here may be nobody: time and length are limited, and room is made for bytes that have come, never for a
 * length that was only said. What came behind the request is put back. Source: DICOM PS3.8 9.1.4 (ARTIM), 9.2 (Sta2).
 */
import type { Duplex } from 'node:stream'
import { headerLength, longestAssociate, pduTypes } from './association.ts'
import type { Abort } from './refusal-pdu.ts'

export type FirstPdu =
  | { readonly kind: 'request'; readonly pdu: Buffer }
  | { readonly kind: 'foreign'; readonly abort: Abort; readonly detail: string }
  | { readonly kind: 'silent' }
  | { readonly kind: 'gone' }

type Source = Pick<Duplex, 'on' | 'off' | 'pause' | 'resume' | 'unshift' | 'destroyed'>

/** @param milliseconds  for all of it */
export function readFirstPdu(source: Source, milliseconds: number): Promise<FirstPdu> {
  return new Promise(resolve => {
    let bytes = Buffer.alloc(1024)
    let there = 0
    let wanted = headerLength

    const finish = (first: FirstPdu) => {
      clearTimeout(alarm)
      source.pause()
      source.off('data', take).off('end', gone).off('close', gone)
      resolve(first)
    }
    const gone = () => finish({ kind: 'gone' })
    const alarm = setTimeout(() => finish({ kind: 'silent' }), milliseconds)

    const take = (chunk: Buffer) => {
      if (there + chunk.length > bytes.length) {
        const larger = Buffer.alloc(Math.max(bytes.length * 2, there + chunk.length))
        bytes.copy(larger, 0, 0, there)
        bytes = larger
      }
      chunk.copy(bytes, there)
      there += chunk.length
      if (there < headerLength) return
      const problem = headerProblem(bytes)
      if (problem !== undefined) return finish({ kind: 'foreign', ...problem })
      wanted = headerLength + bytes.readUInt32BE(2)
      if (there < wanted) return
      finish({ kind: 'request', pdu: bytes.subarray(0, wanted) })
      if (there > wanted) source.unshift(Buffer.from(bytes.subarray(wanted, there)))
    }
    if (source.destroyed) return gone()
    source.on('data', take).on('end', gone).on('close', gone)
    source.resume()
  })
}

const known = new Set<number>(Object.values(pduTypes))

function headerProblem(bytes: Buffer): { readonly abort: Abort; readonly detail: string } | undefined {
  const type = bytes.readUInt8(0)
  if (type !== pduTypes.associateRequest)
    return { abort: known.has(type) ? 'unexpected' : 'unrecognized', detail: `the first byte was ${type}` }
  const length = bytes.readUInt32BE(2)
  if (length > longestAssociate) return { abort: 'invalid-value', detail: `an A-ASSOCIATE-RQ of ${length} bytes` }
  return undefined
}
