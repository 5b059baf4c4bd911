/**
 * Who is really calling: the peer, whoever it announces (reception.ts), or the chain that a trusted proxy vouches for.
 */
import { BlockList, isIP, isIPv6, type Socket } from 'node:net'
import { memo } from '../kernel/memo.ts'
import { type HeaderList, headerValues } from './exchange.ts'

/** IPv4-mapped IPv6 addresses as plain IPv4, so that one client has one spelling. */
export const plainAddress = (address: string | undefined): string =>
  (address ?? 'unknown').replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')

const announced = new WeakMap<Pick<Socket, 'remoteAddress'>, string>()

/** From now on this address is the client's on that connection, whoever the peer is. */
export const announce = (socket: Socket, address: string): void => void announced.set(socket, address)

/** Where the client of a connection is, as far as the connection itself can say. */
export const addressOf = (socket: Pick<Socket, 'remoteAddress'>): string =>
  announced.get(socket) ?? plainAddress(socket.remoteAddress)

export type TrustsProxy = (address: string) => boolean

export function trustedProxies(ranges: readonly string[]): TrustsProxy {
  if (ranges.length === 0) return () => false
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', bits] = range.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  // Asked several times for each request, mostly of the same few addresses.
  return memo(address => {
    const family = isIP(address)
    return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4')
  }, 64)
}

/**
 * The addresses for X-Forwarded-For: what a trusted proxy said, then the peer; from everybody else the peer alone.
 *
 * @param peer  address of the TCP connection
 */
export function forwardedFor(peer: string, headers: HeaderList, trusts: TrustsProxy): string[] {
  if (!trusts(peer)) return [peer]
  const chain = headerValues(headers, 'x-forwarded-for').flatMap(value =>
    value.split(',').map(part => plainAddress(part.trim())),
  )
  // One part that is no address makes the whole chain unbelievable.
  return chain.every(part => isIP(part) !== 0) ? [...chain, peer] : [peer]
}

/** The client behind trusted proxies: the last address of the chain that is not one of them. */
export const clientOf = (chain: readonly string[], trusts: TrustsProxy): string =>
  chain.findLast(address => !trusts(address)) ?? chain[0] ?? 'unknown'

/**
 * Whose connections and failures are counted together: an IPv6 address by its /64, as a single machine has all the rest
 * of it to choose from. Source: RFC 6177.
 */
export const addressKey = memo(address => {
  const plain = address.replace(/%.*$/, '')
  // Else all the world of IPv4 would be one address on a listener for both.
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)?.[1]
  if (mapped !== undefined || !isIPv6(plain)) return mapped ?? address
  // The URL parser gives every spelling of an IPv6 address the same, shortest form.
  const [head = '', tail] = new URL(`http://[${plain}]`).hostname.slice(1, -1).split('::')
  const groups = (text: string | undefined) => (text === undefined || text === '' ? [] : text.split(':'))
  const [before, after] = [groups(head), groups(tail)]
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length
  return `${[...before, ...Array<string>(zeros).fill('0'), ...after].slice(0, 4).join(':')}::/64`
}, 64)
