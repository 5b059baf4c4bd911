/**
 * Follows an association in both directions by the headers of its PDUs, and says which bytes may go on.
 *
 * No PDU is held: a header of six bytes is looked at before it goes on, the rest passes. A length is believed only when
 * the receiver could have agreed to it: the maximum that it named itself (PS3.8 D.1), or 128 MB where it named none,
 * which no sender comes near and no program should reserve unasked. Not to forget: a second A-ASSOCIATE-RQ on the same
 * connection would bring a second calling title that nobody has held against the certificate.
 *
 * Source: DICOM PS3.8 9.2 (state machine), 9.3, D.1; PS3.8 table 9-26 (reasons of an abort).
 */
import { headerLength, longestAssociate, maximumLengthOfAccept, pduTypes } from './association.ts'
import { type Abort, aborts } from './refusal-pdu.ts'
import type { Inspector, Taken } from './splice.ts'

const unlimited = 128 * 1024 * 1024
/** Some programs count their own headers into the maximum, or do not. */
const slack = 12

const limitOf = (maximumLength: number) =>
  maximumLength === 0 ? unlimited : Math.min(maximumLength + slack, unlimited)

/** Of the PDUs that are all alike: A-ASSOCIATE-RJ, A-RELEASE-RQ, A-RELEASE-RP, A-ABORT. */
const fixedLength = 4

interface Header {
  readonly type: number
  readonly length: number
}

interface Wrong {
  readonly how: Abort
  readonly detail: string
}

/**
 * One direction: cuts the bytes at headers.
 *
 * @param look    what is wrong with a header; undefined: it may go on
 * @param passed  told of each PDU that is through
 */
function follow(look: (header: Header) => Wrong | undefined, passed: (pdu: { type: number; bytes: Buffer }) => void) {
  let held = Buffer.alloc(0)
  let left = 0
  /** Only an A-ASSOCIATE-AC is copied on its way, for what it says of lengths. */
  let copy: Buffer[] = []
  let type = 0
  const body = (bytes: Buffer) => {
    left -= bytes.length
    if (type === associateAccept) copy.push(bytes)
    if (left > 0) return
    passed({ type, bytes: Buffer.concat(copy) })
    copy = []
  }
  return {
    whole: () => left === 0 && held.length === 0,
    /** @returns the bytes that may go on, and what is wrong with the header behind them */
    take(chunk: Buffer): { readonly pass: Buffer; readonly wrong?: Wrong } {
      const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk])
      held = Buffer.alloc(0)
      for (let at = 0; at < bytes.length; ) {
        if (left > 0) {
          const end = Math.min(bytes.length, at + left)
          body(bytes.subarray(at, end))
          at = end
          continue
        }
        if (bytes.length - at < headerLength) {
          held = Buffer.from(bytes.subarray(at))
          return { pass: bytes.subarray(0, at) }
        }
        const header = { type: bytes.readUInt8(at), length: bytes.readUInt32BE(at + 2) }
        const wrong = look(header)
        if (wrong !== undefined) return { pass: bytes.subarray(0, at), wrong }
        type = header.type
        left = header.length + headerLength
        body(bytes.subarray(at, at + headerLength))
        at += headerLength
      }
      return { pass: bytes }
    },
  }
}

const names = new Map<number, string>(Object.entries(pduTypes).map(([name, type]) => [type, name]))

const { associateAccept, associateReject, dataTransfer, releaseRequest, releaseResponse, abort } = pduTypes
const inAssociation: readonly number[] = [dataTransfer, releaseRequest, releaseResponse, abort]
const ofRequestorBefore: readonly number[] = [abort]
const ofAcceptorBefore: readonly number[] = [associateAccept, associateReject, abort]

/** @param limit  of a P-DATA-TF */
function judge(who: string, { type, length }: Header, allowed: readonly number[], limit: number): Wrong | undefined {
  const name = names.get(type)
  if (name === undefined) return { how: 'unrecognized', detail: `${who} sent a PDU of type ${type}` }
  if (!allowed.includes(type)) return { how: 'unexpected', detail: `${who} sent ${name} out of turn` }
  const fits =
    type === dataTransfer
      ? length <= limit
      : type === associateAccept
        ? length <= longestAssociate
        : length === fixedLength
  if (fits) return undefined
  const most = type === dataTransfer ? `, where ${limit} are allowed` : ''
  return { how: 'invalid-value', detail: `${who} sent ${name} of ${length} bytes${most}` }
}

/** @param maximumLength  of the A-ASSOCIATE-RQ, which has gone on already; 0: none named */
export function watchAssociation(maximumLength: number): { fromRequestor: Inspector; fromAcceptor: Inspector } {
  let accepted = false
  let ofAcceptor = unlimited
  const up = follow(
    header => judge('the client', header, accepted ? inAssociation : ofRequestorBefore, ofAcceptor),
    () => undefined,
  )
  const down = follow(
    header => judge('the upstream', header, accepted ? inAssociation : ofAcceptorBefore, limitOf(maximumLength)),
    ({ type, bytes }) => {
      if (type !== associateAccept) return
      accepted = true
      ofAcceptor = limitOf(maximumLengthOfAccept(bytes))
    },
  )
  const inspector = (one: typeof up, other: typeof up): Inspector => ({
    whole: one.whole,
    take(chunk): Taken {
      const { pass, wrong } = one.take(chunk)
      if (wrong === undefined) return { pass }
      // Into the middle of a PDU no abort can be put: there the connection is cut.
      const back = other.whole() ? aborts[wrong.how] : undefined
      return { pass, stop: { detail: wrong.detail, on: aborts['no-reason'], back } }
    },
  })
  return { fromRequestor: inspector(up, down), fromAcceptor: inspector(down, up) }
}
