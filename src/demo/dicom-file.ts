/**
 * Writes one DICOM file: preamble, meta header, and a flat data set in Explicit VR Little Endian.
 *
 * It does not read, knows no sequences and no compressed pixels: the sample study needs none.
 * Not to forget: every value has an even length, a UID padded with NUL and text with a space; a reader that trusts
 * the length field reads rubbish from the first odd one on.
 *
 * Source: DICOM PS3.10 7.1 (file meta information), PS3.5 6.2 (value representations) and 7.1.2 (explicit VR).
 */

/** The value representations this writer knows, with the most characters one value may have (bytes for UI). */
const longestValue = {
  CS: 16,
  DA: 8,
  DS: 16,
  IS: 12,
  LO: 64,
  PN: 64,
  SH: 16,
  TM: 14,
  UI: 64,
} as const

type TextVr = keyof typeof longestValue

export type DicomElement =
  | { readonly tag: number; readonly vr: TextVr; readonly values: readonly string[] }
  | { readonly tag: number; readonly vr: 'US' | 'UL'; readonly value: number }
  | { readonly tag: number; readonly vr: 'OB' | 'OW'; readonly bytes: Buffer }

/** A text element; several values are one element with several values (VM > 1), none is an empty one. */
export const text = (tag: number, vr: TextVr, ...values: readonly string[]): DicomElement => ({ tag, vr, values })

export const unsignedShort = (tag: number, value: number): DicomElement => ({ tag, vr: 'US', value })

export interface DicomFile {
  readonly sopClassUid: string
  readonly sopInstanceUid: string
  /** In any order; written in ascending order of tags, as PS3.5 7.1 demands. */
  readonly elements: readonly DicomElement[]
}

const explicitVrLittleEndian = '1.2.840.10008.1.2.1'
/** Ours, of the kind that needs no registration (PS3.5 B.2). */
const implementationClassUid = '2.25.305828488182831875890203105390285383139'

/** The bytes of a Part 10 file. Throws a RangeError for a value that its representation cannot hold. */
export function encodeDicomFile({ sopClassUid, sopInstanceUid, elements }: DicomFile): Buffer {
  const meta = Buffer.concat([
    ...encode({ tag: 0x00020001, vr: 'OB', bytes: Buffer.from([0, 1]) }),
    ...encode(text(0x00020002, 'UI', sopClassUid)),
    ...encode(text(0x00020003, 'UI', sopInstanceUid)),
    ...encode(text(0x00020010, 'UI', explicitVrLittleEndian)),
    ...encode(text(0x00020012, 'UI', implementationClassUid)),
    ...encode(text(0x00020013, 'SH', 'SALLYPORT_DEMO')),
  ])
  const ascending = elements.toSorted((one, other) => one.tag - other.tag)
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM', 'latin1'),
    ...encode({ tag: 0x00020000, vr: 'UL', value: meta.length }),
    meta,
    ...ascending.flatMap(encode),
  ])
}

function encode(element: DicomElement): Buffer[] {
  const value = valueBytes(element)
  const long = element.vr === 'OB' || element.vr === 'OW'
  const head = Buffer.alloc(long ? 12 : 8)
  head.writeUInt16LE(element.tag >>> 16, 0)
  head.writeUInt16LE(element.tag & 0xffff, 2)
  head.write(element.vr, 4, 'latin1')
  // The "other" representations have two reserved bytes and a 32 bit length (PS3.5 table 7.1-1).
  if (long) head.writeUInt32LE(value.length, 8)
  else head.writeUInt16LE(value.length, 6)
  return [head, value]
}

function valueBytes(element: DicomElement): Buffer {
  switch (element.vr) {
    case 'US': {
      const bytes = Buffer.alloc(2)
      bytes.writeUInt16LE(element.value)
      return bytes
    }
    case 'UL': {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32LE(element.value)
      return bytes
    }
    case 'OB':
    case 'OW':
      return even(element.bytes, 0)
    default:
      for (const value of element.values) refuseUnfit(element.tag, element.vr, value)
      return even(Buffer.from(element.values.join('\\'), 'utf8'), element.vr === 'UI' ? 0 : 0x20)
  }
}

/** A backslash would make two values of one, and a control character is not text (PS3.5 6.1.3, 6.2). */
function refuseUnfit(tag: number, vr: TextVr, value: string): void {
  const name = `(${(tag >>> 16).toString(16).padStart(4, '0')},${(tag & 0xffff).toString(16).padStart(4, '0')}) ${vr}`
  if ([...value].length > longestValue[vr]) throw new RangeError(`${name}: longer than ${longestValue[vr]} characters`)
  if (/[\\\x00-\x1f\x7f]/.test(value)) throw new RangeError(`${name}: holds a backslash or a control character`)
  if (vr === 'UI' && !/^(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*$/.test(value)) {
    throw new RangeError(`${name}: "${value}" is not a UID`)
  }
}

const even = (bytes: Buffer, padding: number): Buffer =>
  bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.from([padding])])
