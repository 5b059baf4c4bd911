/**
 * PROXY headers as bytes: what is one, what may become one, and what never does.
 */
import { randomBytes, randomInt } from 'node:crypto'
import t from 'tap'
import { readProxyHeader } from '../../src/listener/proxy-header.ts'
import { proxyHeader, signature } from '../fixture/proxy-v2.ts'

const hello = Buffer.from('160301', 'hex')
const whyOf = (bytes: Buffer) => {
  const header = readProxyHeader(bytes)
  return header.kind === 'refused' ? header.why : header.kind
}
const clientOf = (bytes: Buffer) => {
  const header = readProxyHeader(bytes)
  return header.kind === 'client' ? header.address : header.kind
}

t.test('a header names the client, in the one spelling of its address', async t => {
  const four = proxyHeader({ from: '203.0.113.7' })
  t.same(readProxyHeader(Buffer.concat([four, hello])), { kind: 'client', address: '203.0.113.7', length: 28 })
  const six = proxyHeader({ from: '2001:db8:0:0:0:0:0:1' })
  t.same(readProxyHeader(six), { kind: 'client', address: '2001:db8::1', length: 52 })
  t.equal(clientOf(proxyHeader({ from: '0:0:0:0:0:ffff:c000:0201' })), '192.0.2.1')
})

t.test('the connection of the proxy itself keeps its own address, whatever else is said', async t => {
  t.same(readProxyHeader(proxyHeader({ command: 'local' })), { kind: 'local', length: 16 })
  t.same(readProxyHeader(proxyHeader({ command: 'local', from: '203.0.113.7' })), { kind: 'local', length: 28 })
  t.same(readProxyHeader(proxyHeader({ command: 'local', family: 0x55, from: '203.0.113.7' })).kind, 'local')
})

t.test('a header is read when its last byte has come, and nothing behind it is', async t => {
  const whole = proxyHeader({ from: '203.0.113.7', more: [[4, Buffer.alloc(300)]] })
  for (let length = 0; length < whole.length; length++)
    t.same(readProxyHeader(whole.subarray(0, length)), { kind: 'partial' }, `${length} bytes`)
  t.equal(clientOf(Buffer.concat([whole, randomBytes(64)])), '203.0.113.7')
})

t.test('what is no header is refused at its first byte that does not fit', async t => {
  t.match(whyOf(hello), /TLS without a PROXY header.*send-proxy-v2/)
  t.match(whyOf(Buffer.from('PROXY TCP4 203.0.113.7 127.0.0.1 1 2\r\n')), /version 1 .*send-proxy-v2/)
  t.equal(whyOf(Buffer.from('GET / HTTP/1.1\r\n')), 'no PROXY header')
  for (let at = 0; at < 12; at++) {
    const wrong = proxyHeader({ from: '203.0.113.7' })
    wrong[at] = (wrong[at] ?? 0) ^ 1
    t.equal(whyOf(wrong.subarray(0, at + 1)), 'no PROXY header', `byte ${at}`)
  }
  for (const version of [0x11, 0x31, 0x22, 0x2f, 0x00])
    t.match(whyOf(Buffer.concat([signature, Buffer.from([version])])), /another version or command/)
})

t.test('a header that does not say who is calling by TCP is refused', async t => {
  t.match(whyOf(proxyHeader({ family: 0 })), /names no client/, 'unspecified: it would pass for the proxy')
  for (const family of [0x12, 0x13, 0x10, 0x22, 0x31, 0x32, 0x41, 0xff])
    t.match(whyOf(proxyHeader({ family, from: '203.0.113.7' })), /names no client/, family.toString(16))
  t.match(whyOf(proxyHeader({ family: 0x21, from: '203.0.113.7' })), /do not fit/, 'IPv6 with the bytes of IPv4')
  t.match(whyOf(proxyHeader({ family: 0x11 })), /do not fit/, 'no address')
})

t.test('lengths are bounded, and what stands behind the addresses fits them', async t => {
  t.match(whyOf(proxyHeader({ from: '203.0.113.7', says: 4097 }).subarray(0, 16)), /of 4097 bytes/)
  t.equal(whyOf(proxyHeader({ from: '203.0.113.7', says: 4096 })), 'partial')
  t.match(
    whyOf(Buffer.concat([proxyHeader({ from: '203.0.113.7', says: 13 }), hello])),
    /do not fit/,
    'one byte of three',
  )
  const long = proxyHeader({ from: '203.0.113.7', more: [[4, Buffer.alloc(2)]] })
  long.writeUInt16BE(3, 29)
  t.match(whyOf(Buffer.concat([long, hello])), /do not fit/, 'a value that ends behind the header')
})

t.test('a checksum that is there is verified', async t => {
  // Sealed by HAProxy 2.6 (send-proxy-v2 proxy-v2-options crc32c), for a client on 127.0.0.1.
  const sealed = Buffer.from('0d0a0d0a000d0a515549540a211100137f0000017f000001af8294df0300045cfd42a8', 'hex')
  t.equal(clientOf(sealed), '127.0.0.1')
  const typeAt = 28
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    if (bit >> 3 === typeAt) continue // another type: then none is there
    const wrong = Buffer.from(sealed)
    wrong[bit >> 3] = (wrong[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    t.not(clientOf(wrong), '127.0.0.1', `bit ${bit}`)
  }
  const local = Buffer.from(sealed)
  local[12] = 0x20
  t.match(whyOf(local), /checksum is wrong/, 'a client is not passed off as the proxy itself')
  const value = Buffer.alloc(4)
  t.match(
    whyOf(
      proxyHeader({
        from: '203.0.113.7',
        more: [
          [3, value],
          [3, value],
        ],
      }),
    ),
    /do not fit/,
    'two of them',
  )
  t.match(whyOf(proxyHeader({ from: '203.0.113.7', more: [[3, Buffer.alloc(3)]] })), /do not fit/, 'a short one')
})

t.test('whatever bytes come, it is one of four things, and no longer than what came', async t => {
  const seeds = [
    proxyHeader({ from: '203.0.113.7', more: [[3, Buffer.alloc(4)]] }),
    proxyHeader({ from: '1:2:3:4:5:6:7:8' }),
  ]
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.concat([seeds[round % 2] ?? signature, randomBytes(randomInt(40))])
    for (let change = randomInt(4); change > 0; change--) bytes[randomInt(12, bytes.length)] = randomInt(256)
    const cut = bytes.subarray(0, randomInt(bytes.length + 1))
    const header = readProxyHeader(cut)
    if ('length' in header && header.length > cut.length)
      t.fail('it reads what has not come', { cut: cut.toString('hex') })
  }
})
