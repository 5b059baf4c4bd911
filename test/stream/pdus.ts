/**
 * DICOM PDUs as a test writes them, right or wrong. Source: DICOM PS3.8 9.3.
 */

export interface RequestFields {
  readonly calling?: string | Buffer
  readonly called?: string | Buffer
  readonly version?: number
  /** Absent: 16 KB. 'none': no such item. */
  readonly maximumLength?: number | 'none'
  /** Behind the items. */
  readonly tail?: Buffer
}

const title = (text: string | Buffer) =>
  Buffer.isBuffer(text) ? text : Buffer.from(text.padEnd(16, ' ').slice(0, 16), 'latin1')

const item = (type: number, body: Buffer) => {
  const head = Buffer.from([type, 0, 0, 0])
  head.writeUInt16BE(body.length, 2)
  return Buffer.concat([head, body])
}

const four = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function pdu(type: number, body: Buffer, length = body.length): Buffer {
  return Buffer.concat([Buffer.from([type, 0]), four(length), body])
}

function associate(type: number, fields: RequestFields): Buffer {
  const { calling = 'CT1', called = 'PACS', version = 1, maximumLength = 16_384, tail } = fields
  const fixed = Buffer.alloc(68)
  fixed.writeUInt16BE(version, 0)
  title(called).copy(fixed, 4)
  title(calling).copy(fixed, 20)
  const context = item(0x10, Buffer.from('1.2.840.10008.3.1.1.1'))
  const presentation = item(
    type === 1 ? 0x20 : 0x21,
    Buffer.concat([
      Buffer.from([1, 0, 0, 0]),
      ...(type === 1 ? [item(0x30, Buffer.from('1.2.840.10008.1.1'))] : []),
      item(0x40, Buffer.from('1.2.840.10008.1.2')),
    ]),
  )
  const lengths = maximumLength === 'none' ? [] : [item(0x51, four(maximumLength))]
  const user = item(0x50, Buffer.concat([...lengths, item(0x52, Buffer.from('1.2.3'))]))
  return pdu(type, Buffer.concat([fixed, context, presentation, user, ...(tail === undefined ? [] : [tail])]))
}

export const request = (fields: RequestFields = {}): Buffer => associate(1, fields)
export const accept = (fields: RequestFields = {}): Buffer => associate(2, fields)
export const fragment = (length: number): Buffer => pdu(4, Buffer.alloc(length, 7))
export const releaseRequest = pdu(5, Buffer.alloc(4))
export const releaseResponse = pdu(6, Buffer.alloc(4))
export const abortByUser = pdu(7, Buffer.alloc(4))

/** "03 result source reason" or "07 source reason". */
export const refusalIn = (bytes: Buffer): string =>
  bytes.length === 10 && bytes.readUInt32BE(2) === 4
    ? [bytes[0], ...bytes.subarray(bytes[0] === 3 ? 7 : 8)].join(' ')
    : `no refusal: ${bytes.toString('hex')}`
