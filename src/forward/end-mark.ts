/**
 * Tells whether a body that ended with its connection is whole: by the mark that its own format ends with.
 *
 * Orthanc sends whole studies and archives without a length, so a server that dies looks like one that is done. A
 * multipart body ends with its closing delimiter, a zip archive with its end record. Source: RFC 2046 5.1.1; PKWARE
 * APPNOTE 4.3.16.
 */
import { type HeaderList, headerValues } from '../listener/exchange.ts'

/** Looks at the end of a body; `undefined` where the format has no end mark. */
export interface EndMark {
  saw(chunk: Buffer): void
  isThere(): boolean
}

/** The last bytes of a stream: copies, for what was seen may be written over. */
function createTail(length: number) {
  let chunks: Buffer[] = []
  let held = 0
  return {
    saw(chunk: Buffer) {
      const own = Buffer.from(chunk.subarray(-length))
      chunks.push(own)
      held += own.length
      while (chunks.length > 1 && held - (chunks[0]?.length ?? 0) >= length) held -= chunks.shift()?.length ?? 0
    },
    bytes(): Buffer {
      chunks = [Buffer.concat(chunks).subarray(-length)]
      return chunks[0] ?? Buffer.alloc(0)
    },
  }
}

const endRecord = Buffer.from([0x50, 0x4b, 0x05, 0x06])
/** End record without comment, and the longest comment behind it. */
const endRecordSpan = 22 + 65_535

export function endMarkOf(headers: HeaderList): EndMark | undefined {
  const type = headerValues(headers, 'content-type')[0] ?? ''
  const multipart = /^multipart\//i.test(type)
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(type) ?? []
  const boundary = quoted ?? plain
  if (multipart) {
    // A multipart type without boundary cannot be read by anybody: never whole.
    const delimiter = `\r\n--${boundary ?? ''}--`
    const tail = createTail(delimiter.length + 8)
    return {
      saw: tail.saw,
      isThere: () =>
        boundary !== undefined &&
        `\r\n${tail.bytes().toString('latin1')}`.replace(/[ \t\r\n]+$/, '').endsWith(delimiter),
    }
  }
  if (/^application\/(zip|x-zip-compressed)\b/i.test(type)) {
    const tail = createTail(endRecordSpan)
    return {
      saw: tail.saw,
      isThere() {
        const bytes = tail.bytes()
        for (
          let at = bytes.lastIndexOf(endRecord);
          at >= 0;
          at = at === 0 ? -1 : bytes.lastIndexOf(endRecord, at - 1)
        ) {
          if (bytes.length - at >= 22 && bytes.readUInt16LE(at + 20) === bytes.length - at - 22) return true
        }
        return false
      },
    }
  }
  return undefined
}
