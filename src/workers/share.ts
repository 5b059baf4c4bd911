/**
 * The part that one worker has in the limits of the gateway: all parts together are what was written, and no more.
 */
import type { Config } from '../config/schema.ts'

export interface Seat {
  /** From 1. */
  readonly number: number
  /** Of all workers. */
  readonly of: number
}

/** So many connections of one address each worker takes in any case: those of one browser may all come to the same. */
const few = 16

/** The first ones have what cannot be divided. */
export const partOf = (limit: number, { number, of }: Seat): number =>
  Math.floor(limit / of) + (number <= limit % of ? 1 : 0)

const ofOneAddress = (limit: number, { of }: Seat): number => Math.max(Math.min(limit, few), Math.ceil(limit / of))

const each = <T>(sections: Readonly<Record<string, T>>, change: (section: T) => T): Record<string, T> =>
  Object.fromEntries(Object.entries(sections).map(([name, section]) => [name, change(section)]))

export function shareOf(config: Config, seat: Seat): Config {
  const limited = <T extends { readonly limits: Limits }>(section: T): T => ({
    ...section,
    limits: {
      ...section.limits,
      connections: partOf(section.limits.connections, seat),
      ...(section.limits.connectionsPerAddress === undefined
        ? {}
        : { connectionsPerAddress: ofOneAddress(section.limits.connectionsPerAddress, seat) }),
    },
  })
  return {
    ...config,
    listeners: each(config.listeners, one => (one.kind === 'secure' ? limited(one) : one)),
    streams: each(config.streams, limited),
    upstreams: each(config.upstreams, one => {
      if (one.kind === 'ohif') return one
      const part = { ...one, connections: partOf(one.connections, seat) }
      if (part.kind === 'omero-web' || part.cache === undefined) return part
      const { memory, disk } = part.cache
      const shares = { memory: partOf(memory, seat), disk: disk && partOf(disk, seat) }
      return { ...part, cache: { ...part.cache, ...shares } }
    }),
  }
}

interface Limits {
  readonly connections: number
  readonly connectionsPerAddress?: number | undefined
}
