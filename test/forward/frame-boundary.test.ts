// Where a frame of a WebSocket ends is known in whatever pieces it comes; behind a length that nobody can mean it is not.
import t from 'tap'
import { FrameBoundary } from '../../src/forward/frame-boundary.ts'

/** @param form  how the length is written, which may be longer than it must be */
function frame(first: number, length: number, masked: boolean, form: 7 | 16 | 64): Buffer {
  const head = Buffer.alloc(form === 7 ? 2 : form === 16 ? 4 : 10)
  head[0] = first
  head[1] = (masked ? 0x80 : 0) | (form === 7 ? length : form === 16 ? 126 : 127)
  if (form === 16) head.writeUInt16BE(length, 2)
  if (form === 64) head.writeBigUInt64BE(BigInt(length), 2)
  // The payload looks like heads of other frames.
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0, 0x7f), Buffer.alloc(length, Buffer.of(0x88, 0x7f, 0xff))])
}

const frames = [false, true].flatMap(masked => [
  frame(0x81, 0, masked, 7),
  frame(0x02, 5, masked, 7),
  frame(0x89, 125, masked, 7),
  frame(0x00, 126, masked, 16),
  frame(0xf3, 3, masked, 16),
  frame(0x80, 700, masked, 64),
  frame(0x8a, 0, masked, 64),
])
const ends = new Set(frames.map((_, nth) => frames.slice(0, nth + 1).reduce((sum, { length }) => sum + length, 0)))
const all = Buffer.concat(frames)

t.test('between two frames, and nowhere else, whatever the pieces are', async t => {
  for (const size of [1, 2, 3, 7, 64, 1_000]) {
    const boundary = new FrameBoundary()
    const wrong: number[] = []
    t.equal(boundary.isHere, true)
    for (let at = 0; at < all.length; at += size) {
      boundary.saw(all.subarray(at, at + size))
      const seen = Math.min(at + size, all.length)
      if (boundary.isHere !== ends.has(seen)) wrong.push(seen)
    }
    t.same(wrong, [], `${size} bytes at a time`)
    t.match(boundary, { isClosed: false, isLost: false })
  }
})

t.test('from any byte on, the rest of the frame that has begun is told, and no byte more', async t => {
  const wrong: number[] = []
  for (let at = 0; at <= all.length; at++) {
    const boundary = new FrameBoundary()
    boundary.saw(all.subarray(0, at))
    const end = at === 0 || ends.has(at) ? at : Math.min(...[...ends].filter(one => one > at))
    if (boundary.sawToEnd(all.subarray(at)) !== end - at || !boundary.isHere) wrong.push(at)
  }
  t.same(wrong, [])
})

t.test('a length of 2^53 and more is nobody’s, and nothing can be told behind it', async t => {
  for (const length of [2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
    const boundary = new FrameBoundary()
    const head = Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0])
    head.writeBigUInt64BE(length, 2)
    boundary.saw(head)
    t.match(boundary, { isLost: true, isHere: false })
    boundary.saw(all)
    t.match(boundary, { isLost: true, isHere: false, isClosed: false })
    t.equal(boundary.sawToEnd(all), all.length)
  }
  const large = new FrameBoundary()
  const head = Buffer.from([0x82, 127, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
  large.saw(head)
  t.match(large, { isLost: false, isHere: false }, '2^53 - 1 is a length')
})

t.test('a closing frame is seen, and one that only looks like it in a payload is not', async t => {
  const boundary = new FrameBoundary()
  boundary.saw(all)
  t.equal(boundary.isClosed, false)
  boundary.saw(frame(0x88, 2, true, 7).subarray(0, 6))
  t.equal(boundary.isClosed, true)
})

t.test('messages are told from pings', async t => {
  const boundary = new FrameBoundary()
  boundary.saw(Buffer.concat([frame(0x89, 4, true, 7), frame(0x8a, 4, false, 7), frame(0x88, 2, false, 7)]))
  t.equal(boundary.carriedData, false)
  boundary.saw(frame(0x82, 0, false, 7))
  t.equal(boundary.carriedData, true)
  const long = frame(0x82, 300, false, 16)
  boundary.saw(long.subarray(0, 10))
  boundary.carriedData = false
  boundary.saw(long.subarray(10, 20))
  t.equal(boundary.carriedData, true, 'also in the middle of a long one')
})

t.test('a hundred thousand frames in one piece are seen in a moment', async t => {
  const boundary = new FrameBoundary()
  const many = Buffer.concat(Array.from({ length: 100_000 }, () => frame(0x00, 1, true, 7)))
  const began = performance.now()
  boundary.saw(many)
  const took = performance.now() - began
  t.ok(took < 500, `${took.toFixed(1)} ms`)
  t.equal(boundary.isHere, true)
})
