import t from 'tap'
import { isWellFormed, messageEnd } from '../../src/ldap/message-shape.ts'

/** One BER value of fewer than 128 bytes. */
const tlv = (tag: number, ...content: (number | readonly number[])[]): number[] => {
  const bytes = content.flat()
  return [tag, bytes.length, ...bytes]
}
const text = (value: string) => tlv(0x04, ...Buffer.from(value))
const message = (...parts: readonly number[][]) => Buffer.from(tlv(0x30, tlv(0x02, 2), ...parts))
const success = [tlv(0x0a, 0), text(''), text('')]
const entry = message(tlv(0x64, text('cn=a'), tlv(0x30, tlv(0x30, text('cn'), tlv(0x31, text('a'), text('b'))))))

t.test('what a directory sends in earnest is let through', async t => {
  t.ok(isWellFormed(message(tlv(0x61, ...success))), 'bind response')
  t.ok(isWellFormed(message(tlv(0x65, ...success))), 'end of a search')
  t.ok(
    isWellFormed(message(tlv(0x65, ...success), tlv(0xa0, tlv(0x30, text('1.2.3'), tlv(0x01, 255), text('x'))))),
    'with a control',
  )
  t.ok(isWellFormed(message(tlv(0x61, ...success, tlv(0xa3, text('ldap://other'))))), 'with a referral')
  t.ok(isWellFormed(message(tlv(0x73, text('ldap://other/')))), 'a reference')
  t.ok(isWellFormed(entry), 'an entry')
})

t.test('a bind response without a result is no answer', async t => {
  t.notOk(isWellFormed(message(tlv(0x61))))
  t.notOk(isWellFormed(message(tlv(0x61, tlv(0x0a)))))
  t.notOk(isWellFormed(message(tlv(0x61, tlv(0x0a, 0), text('')))))
})

t.test('a length that points beyond its surroundings is refused, wherever it stands', async t => {
  for (let at = 1; at < entry.length; at++) {
    const changed = Buffer.from(entry)
    changed[at] = 0x7f
    const isLength = isWellFormed(changed) === false
    // Only letters of a text and the number of the message may be any byte.
    if (!isLength) t.ok(entry[at] === 2 || (entry[at] ?? 0) > 0x2f, `byte ${at}`)
  }
  t.notOk(isWellFormed(message(tlv(0x64, text(''), tlv(0x30, [0x30, 5, ...text('a'), 0x31, 0x7f])))))
})

t.test('operations that nobody asked for are refused', async t => {
  for (const tag of [0x60, 0x63, 0x66, 0x79, 0x42, 0x7f]) t.notOk(isWellFormed(message(tlv(tag, ...success))))
})

t.test('the end of a message is known from its head, and unknown before that', async t => {
  t.equal(messageEnd(Buffer.from([])), undefined)
  t.equal(messageEnd(Buffer.from([0x30])), undefined)
  t.equal(messageEnd(Buffer.from([0x30, 0x05])), 7)
  t.equal(messageEnd(Buffer.from([0x30, 0x82, 0x01])), undefined)
  t.equal(messageEnd(Buffer.from([0x30, 0x82, 0x01, 0x00])), 260)
  t.equal(messageEnd(Buffer.from([0x30, 0x84, 0xff, 0xff, 0xff, 0xff])), 0xffffffff + 6)
  t.equal(messageEnd(Buffer.from([0x30, 0x80])), null, 'indefinite length')
  t.equal(messageEnd(Buffer.from([0x30, 0x85])), null, 'a length of five bytes')
  t.equal(messageEnd(Buffer.from('HTTP/1.1')), null)
})
