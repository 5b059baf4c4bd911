/**
 * The headers of an association decide what goes on. Source: DICOM PS3.8 9.2, 9.3, D.1.
 */
import t from 'tap'
import { watchAssociation } from '../../src/stream/pdu-watch.ts'
import type { Inspector } from '../../src/stream/splice.ts'
import { abortByUser, accept, fragment, pdu, refusalIn, releaseRequest, releaseResponse, request } from './pdus.ts'

const start = (accepted?: Parameters<typeof accept>[0], maximumLength = 16_384) => {
  const watch = watchAssociation(maximumLength)
  if (accepted !== undefined) watch.fromAcceptor.take(accept(accepted))
  return watch
}

/** What goes on of bytes that come in pieces of `size`. */
function passed(inspector: Inspector, bytes: Buffer, size: number) {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) {
    const { pass, stop } = inspector.take(bytes.subarray(at, at + size))
    parts.push(pass)
    if (stop !== undefined) return { bytes: Buffer.concat(parts), stop }
  }
  return { bytes: Buffer.concat(parts), stop: undefined }
}

t.test('an association passes unchanged, in pieces of any size', async t => {
  const there = Buffer.concat([fragment(1_000), fragment(6), fragment(16_384), releaseRequest])
  const back = Buffer.concat([accept(), fragment(500), fragment(2), releaseResponse])
  for (const size of [1, 2, 5, 6, 7, 13, 1_006, 70_000]) {
    const { fromRequestor, fromAcceptor } = watchAssociation(16_384)
    t.ok(passed(fromAcceptor, back, size).bytes.equals(back), `back, ${size}`)
    t.ok(passed(fromRequestor, there, size).bytes.equals(there), `there, ${size}`)
    t.ok(fromRequestor.whole() && fromAcceptor.whole())
  }
})

t.test('an end is one between two PDUs only', async t => {
  const { fromRequestor } = start({})
  t.ok(fromRequestor.whole())
  fromRequestor.take(fragment(100).subarray(0, 3))
  t.notOk(fromRequestor.whole(), 'in a header')
  fromRequestor.take(fragment(100).subarray(3, 50))
  t.notOk(fromRequestor.whole(), 'in a body')
  fromRequestor.take(fragment(100).subarray(50))
  t.ok(fromRequestor.whole())
})

t.test('what is nonsense goes no further, and both sides are told', async t => {
  const requestor = 'fromRequestor'
  const acceptor = 'fromAcceptor'
  const rows: [what: string, accepted: boolean, from: 'fromRequestor' | 'fromAcceptor', Buffer, back: string][] = [
    ['a type that does not exist', true, requestor, pdu(8, Buffer.alloc(4)), '7 2 1'],
    ['type 0', true, acceptor, pdu(0, Buffer.alloc(4)), '7 2 1'],
    ['another protocol', true, requestor, Buffer.from('GET / HTTP/1.1\r\n'), '7 2 1'],
    ['a second request, with a title that nobody looked at', true, requestor, request({ calling: 'OTHER' }), '7 2 2'],
    ['a second request before the first is answered', false, requestor, request(), '7 2 2'],
    ['an answer from the client', false, requestor, accept(), '7 2 2'],
    ['data before the answer', false, requestor, fragment(10), '7 2 2'],
    ['data before the answer, back', false, acceptor, fragment(10), '7 2 2'],
    ['a second answer', true, acceptor, accept(), '7 2 2'],
    ['a request from the upstream', false, acceptor, request(), '7 2 2'],
    ['a release of five bytes', true, requestor, pdu(5, Buffer.alloc(5)), '7 2 6'],
    ['an abort of 4 GB', true, requestor, pdu(7, Buffer.alloc(4), 0xffffffff), '7 2 6'],
    ['a rejection of 0 bytes', false, acceptor, pdu(3, Buffer.alloc(0)), '7 2 6'],
    ['an answer of 16 MB', false, acceptor, pdu(2, Buffer.alloc(0), 16 * 1024 * 1024), '7 2 6'],
    ['data of 4 GB', true, requestor, pdu(4, Buffer.alloc(0), 0xffffffff), '7 2 6'],
    ['data longer than the upstream takes', true, requestor, pdu(4, Buffer.alloc(0), 16_384 + 13), '7 2 6'],
    ['data longer than the client takes', true, acceptor, pdu(4, Buffer.alloc(0), 16_384 + 13), '7 2 6'],
  ]
  for (const [what, accepted, from, bytes, back] of rows) {
    for (const size of [1, 70_000]) {
      const watch = start(accepted ? {} : undefined)
      const before = accepted ? fragment(20) : Buffer.alloc(0)
      const { bytes: through, stop } = passed(watch[from], Buffer.concat([before, bytes]), size)
      t.ok(through.equals(before), `${what}: what came before it went on, and no byte of it`)
      t.match(stop?.detail, /^the (client|upstream) sent /, what)
      t.equal(refusalIn(stop?.back ?? Buffer.alloc(0)), back, what)
      t.equal(refusalIn(stop?.on ?? Buffer.alloc(0)), '7 2 0', what)
    }
  }
})

t.test('no abort is put into the middle of a PDU', async t => {
  const { fromRequestor, fromAcceptor } = start({})
  fromAcceptor.take(fragment(100).subarray(0, 50))
  const { stop } = fromRequestor.take(pdu(9, Buffer.alloc(4)))
  t.match(stop, { back: undefined })
})

t.test('each side is held to what the other one takes, and a few bytes more', async t => {
  const rows: [string, 'fromRequestor' | 'fromAcceptor', number, number, length: number, fits: boolean][] = [
    ['what the upstream named', 'fromRequestor', 16_384, 32_768, 32_768, true],
    ['headers counted in', 'fromRequestor', 16_384, 32_768, 32_768 + 12, true],
    ['too long', 'fromRequestor', 16_384, 32_768, 32_768 + 13, false],
    ['what the client named', 'fromAcceptor', 16_384, 32_768, 16_384, true],
    ['too long for the client', 'fromAcceptor', 16_384, 32_768, 32_768, false],
    ['no limit named', 'fromRequestor', 16_384, 0, 128 * 1024 * 1024, true],
    ['no limit named, and still none that can be believed', 'fromRequestor', 16_384, 0, 128 * 1024 * 1024 + 1, false],
    ['4 GB named', 'fromAcceptor', 0xffffffff, 0, 128 * 1024 * 1024 + 1, false],
  ]
  for (const [what, from, ofClient, ofUpstream, length, fits] of rows) {
    const watch = start({ maximumLength: ofUpstream }, ofClient)
    const { stop } = watch[from].take(pdu(4, Buffer.alloc(0), length))
    t.equal(stop === undefined, fits, what)
  }
})

t.test('a rejection or an abort ends what has not begun', async t => {
  for (const bytes of [pdu(3, Buffer.from([0, 1, 1, 3])), abortByUser]) {
    const { fromAcceptor } = start()
    t.match(fromAcceptor.take(bytes), { pass: bytes, stop: undefined })
  }
  t.match(start().fromRequestor.take(abortByUser), { pass: abortByUser, stop: undefined })
})
