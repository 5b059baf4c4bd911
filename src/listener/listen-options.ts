/**
 * How one address of several is bound.
 *
 * `[::]` takes IPv4 as well, as people expect of it when it stands alone; beside an IPv4 address with the same port it
 * would find that taken by ourselves.
 */
import type { ListenOptions } from 'node:net'
import type { BindAddress } from '../config/scalars.ts'

const isIpv6 = ({ host }: BindAddress) => host.includes(':')

export const listenOptions = (bind: BindAddress, all: readonly BindAddress[]): ListenOptions => ({
  ...bind,
  backlog: 1024,
  ipv6Only: isIpv6(bind) && all.some(other => !isIpv6(other) && other.port === bind.port && bind.port !== 0),
})
