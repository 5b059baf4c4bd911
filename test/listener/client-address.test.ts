/**
 * Who is really calling: what a trusted proxy vouches for, and from everybody else the peer alone.
 */
import t from 'tap'
import { clientOf, forwardedFor, plainAddress, trustedProxies } from '../../src/listener/client-address.ts'

const trusts = trustedProxies(['10.0.0.5', '10.1.0.0/16', 'fd00::/8'])
const said = (...values: string[]) => values.map(value => ['x-forwarded-for', value] as const)

t.test('one client has one spelling', async t => {
  t.equal(plainAddress('::ffff:192.0.2.1'), '192.0.2.1')
  t.equal(plainAddress('::FFFF:192.0.2.1'), '192.0.2.1')
  t.equal(plainAddress('fe80::1%eth0'), 'fe80::1')
  t.equal(plainAddress('2001:db8::1'), '2001:db8::1')
  t.equal(plainAddress(undefined), 'unknown')
})

t.test('proxies are trusted by address and range', async t => {
  for (const address of ['10.0.0.5', '10.1.255.1', 'fd12::1']) t.ok(trusts(address), address)
  for (const address of ['10.0.0.6', '10.2.0.1', 'fe80::1', 'unknown', '']) t.notOk(trusts(address), address)
  t.notOk(trustedProxies([])('127.0.0.1'), 'nobody by default')
})

t.test('from a stranger the peer alone counts', async t => {
  t.same(forwardedFor('192.0.2.1', said('10.0.0.5', '127.0.0.1'), trusts), ['192.0.2.1'])
})

t.test('from a trusted proxy the chain counts, and the proxy is appended', async t => {
  t.same(forwardedFor('10.0.0.5', said('203.0.113.9, 10.1.0.1'), trusts), ['203.0.113.9', '10.1.0.1', '10.0.0.5'])
  t.same(forwardedFor('10.0.0.5', said('203.0.113.9', '::ffff:10.1.0.1'), trusts), [
    '203.0.113.9',
    '10.1.0.1',
    '10.0.0.5',
  ])
  t.same(forwardedFor('10.0.0.5', [], trusts), ['10.0.0.5'])
})

t.test('a chain that holds anything but addresses is not believed at all', async t => {
  for (const value of ['unknown', '203.0.113.9:80', '203.0.113.9,', 'a\r\nb', '_hidden', '']) {
    t.same(forwardedFor('10.0.0.5', said(value), trusts), ['10.0.0.5'], encodeURIComponent(value))
  }
})

t.test('the client is the last address that is no proxy of ours', async t => {
  t.equal(
    clientOf(['1.1.1.1', '203.0.113.9', '10.1.0.1', '10.0.0.5'], trusts),
    '203.0.113.9',
    'not what the client itself wrote',
  )
  t.equal(clientOf(['10.1.0.1', '10.0.0.5'], trusts), '10.1.0.1')
  t.equal(clientOf(['192.0.2.1'], trusts), '192.0.2.1')
  t.equal(clientOf([], trusts), 'unknown')
})
