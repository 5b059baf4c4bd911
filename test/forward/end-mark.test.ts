/**
 * Whether a body that ended with its connection is whole: by the mark that its own format ends with.
 */
import { deflateRawSync } from 'node:zlib'
import t from 'tap'
import { endMarkOf } from '../../src/forward/end-mark.ts'

/** In pieces of this size, as a network would bring it; what was seen is written over. */
function isWhole(type: string, body: Buffer, piece = 7): boolean | undefined {
  const mark = endMarkOf([['content-type', type]])
  for (let at = 0; at < body.length; at += piece) {
    const seen = Buffer.from(body.subarray(at, at + piece))
    mark?.saw(seen)
    seen.fill(0)
  }
  return mark?.isThere()
}

/** A zip archive with one file and a comment. */
function zip(comment: string): Buffer {
  const packed = deflateRawSync('hello')
  const local = Buffer.concat([Buffer.from('504b0304', 'hex'), Buffer.alloc(26), packed])
  const end = Buffer.alloc(22)
  end.writeUInt32BE(0x504b0506, 0)
  end.writeUInt16LE(Buffer.byteLength(comment), 20)
  return Buffer.concat([local, end, Buffer.from(comment)])
}

t.test('a multipart body ends with its closing delimiter', async t => {
  const type = 'multipart/related; type="application/dicom"; boundary=5b1c-x'
  const body = (end: string) =>
    Buffer.from(`--5b1c-x\r\nContent-Type: application/dicom\r\n\r\n${'x'.repeat(5000)}${end}`)
  const rows: Record<string, boolean> = {
    '\r\n--5b1c-x--': true,
    '\r\n--5b1c-x--\r\n': true,
    '\r\n--5b1c-x--  \r\n\r\n': true,
    '\r\n--5b1c-x-': false,
    '\r\n--5b1c-x\r\n': false,
    '--5b1c-x--': false,
    '\r\n--5b1c-x--more': false,
    '': false,
  }
  for (const [end, whole] of Object.entries(rows)) {
    for (const piece of [1, 7, 100_000]) t.equal(isWhole(type, body(end), piece), whole, JSON.stringify([end, piece]))
  }
  t.equal(isWhole('Multipart/Related; Boundary="a b"', Buffer.from('--a b\r\n\r\nx\r\n--a b--')), true)
  t.equal(isWhole(type, Buffer.from('--5b1c-x--')), true, 'a body without parts')
  t.equal(isWhole(type, Buffer.alloc(0)), false)
  t.equal(isWhole('multipart/related', Buffer.from('--x--')), false, 'one without boundary can be read by nobody')
})

t.test('a zip archive ends with its end record, and the comment that the record promises', async t => {
  for (const comment of ['', 'made by Orthanc', 'x'.repeat(65_535), `PK\x05\x06${'x'.repeat(30)}`]) {
    const whole = zip(comment)
    for (const type of ['application/zip', 'application/x-zip-compressed; x=y', 'Application/ZIP']) {
      t.equal(isWhole(type, whole, 4096), true, `${type}, ${comment.length}`)
      t.equal(isWhole(type, whole.subarray(0, -1), 4096), false, `${type}, cut, ${comment.length}`)
    }
  }
  t.equal(isWhole('application/zip', Buffer.concat([zip(''), zip('')]).subarray(0, -10)), false)
  t.equal(isWhole('application/zip', Buffer.alloc(0)), false)
})

t.test('other formats have no mark to look for', async t => {
  for (const type of ['application/json', 'application/dicom', 'text/html', 'application/zipped']) {
    t.equal(endMarkOf([['content-type', type]]), undefined, type)
  }
  t.equal(endMarkOf([]), undefined)
})
