/**
 * Reads what opens a DICOM association: A-ASSOCIATE-RQ and A-ASSOCIATE-AC, as far as a gate must understand them.
 *
 * Presentation contexts are the affair of those who talk. Nothing here waits or writes; every length is held against the
 * bytes that are there. Not to forget: the called and the calling title stand in 16 bytes each, padded with spaces that
 * do not count, and a title is never cut at a NUL.
 *
 * Source: DICOM PS3.8 7.1.1.3, 7.1.1.4, 9.3.1 to 9.3.3, D.1 (maximum length); PS3.5 6.2 (AE).
 */

/** Type, a reserved byte, and the length of what follows, in four bytes. */
export const headerLength = 6

export const pduTypes = {
  associateRequest: 1,
  associateAccept: 2,
  associateReject: 3,
  dataTransfer: 4,
  releaseRequest: 5,
  releaseResponse: 6,
  abort: 7,
} as const

/** Up to the first item: version, two reserved bytes, two titles, 32 reserved bytes. */
const fixedFields = 68

/**
 * 128 presentation contexts with 20 transfer syntaxes each, all of the longest names, make 190 KB; honest requests have
 * 1 to 20.
 */
export const longestAssociate = 256 * 1024

export interface AssociateRequest {
  readonly calling: string
  readonly called: string
  /** The longest P-DATA-TF that the requestor takes; 0: it names no limit. */
  readonly maximumLength: number
}

/** What is wrong with a request, in terms of A-ASSOCIATE-RJ or A-ABORT; `detail` is for the log. */
export type RequestProblem =
  | { readonly problem: 'version' | 'calling-title' | 'called-title'; readonly detail: string }
  | { readonly problem: 'malformed'; readonly detail: string }

/** ISO 646 without backslash and control characters (PS3.5 6.2); all spaces is no title (PS3.8 9.3.2). */
function titleIn(bytes: Buffer): string | undefined {
  const title = bytes.toString('latin1').replace(/^ +| +$/g, '')
  return /^[\x20-\x5b\x5d-\x7e]{1,16}$/.test(title) ? title : undefined
}

/** A title as text that can be logged, whatever it holds. */
const shown = (bytes: Buffer) => JSON.stringify(bytes.toString('latin1')).replace(/[^\x20-\x7e]/g, '?')

/** @param pdu  the whole of it, header included; from outside */
export function readAssociateRequest(pdu: Buffer): AssociateRequest | RequestProblem {
  const fields = pdu.subarray(headerLength)
  if (fields.length < fixedFields) return { problem: 'malformed', detail: `${fields.length} bytes hold no request` }
  // The other bits are for versions to come, and are not tested (PS3.8 9.3.2).
  if ((fields.readUInt16BE(0) & 1) === 0)
    return { problem: 'version', detail: `protocol version ${fields.readUInt16BE(0)}` }
  const [calledField, callingField] = [fields.subarray(4, 20), fields.subarray(20, 36)]
  const called = titleIn(calledField)
  if (called === undefined) return { problem: 'called-title', detail: `called AE title ${shown(calledField)}` }
  const calling = titleIn(callingField)
  if (calling === undefined) return { problem: 'calling-title', detail: `calling AE title ${shown(callingField)}` }
  const maximumLength = maximumLengthIn(fields.subarray(fixedFields))
  if (maximumLength === undefined) return { problem: 'malformed', detail: 'items that do not fit into each other' }
  return { calling, called, maximumLength }
}

/** The longest P-DATA-TF that the acceptor takes; 0: it names no limit, or cannot be understood. */
export const maximumLengthOfAccept = (pdu: Buffer): number =>
  maximumLengthIn(pdu.subarray(headerLength + fixedFields)) ?? 0

const userInformation = 0x50
const maximumLengthItem = 0x51

/** @returns undefined when a length is wrong */
function maximumLengthIn(items: Buffer): number | undefined {
  let found = 0
  for (const { type, body } of itemsOf(items)) {
    if (body === undefined) return undefined
    if (type !== userInformation) continue
    for (const inner of itemsOf(body)) {
      if (inner.body === undefined || (inner.type === maximumLengthItem && inner.body.length !== 4)) return undefined
      if (inner.type === maximumLengthItem) found = inner.body.readUInt32BE(0)
    }
  }
  return found
}

/** Type, a reserved byte, a length in two bytes, a body; the last has no body where the bytes do not suffice. */
function* itemsOf(bytes: Buffer): Generator<{ readonly type: number; readonly body: Buffer | undefined }> {
  for (let at = 0; at < bytes.length; ) {
    const type = bytes.readUInt8(at)
    const end = at + 4 <= bytes.length ? at + 4 + bytes.readUInt16BE(at + 2) : Number.POSITIVE_INFINITY
    if (end > bytes.length) {
      yield { type, body: undefined }
      return
    }
    yield { type, body: bytes.subarray(at + 4, end) }
    at = end
  }
}
