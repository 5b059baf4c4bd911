/**
 * As many connections as the process has descriptors for: else the last one would be missing where nobody looks for it,
 * at an upstream, a log or a key, and whoever is in already would be failed for one who is not.
 *
 * What each may need at most is set aside: a descriptor for a connection of a listener (a WebSocket takes a second place
 * for its other half), two for one of a stream, and all that upstreams may open.
 */
import type { Config } from '../config/schema.ts'
import { plainPlaces } from './bind-plain.ts'
import { handshakePlacesOf } from './places.ts'

/** State, logs, directory, certificates that are read, files of a viewer, and what Node has open itself. */
const ownFiles = 128

/** Of all that was asked for, some is always granted. */
const least = 1 / 1_000

const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0)
const fewerOf = (connections: number, share: number) => Math.max(1, Math.floor(connections * share))

/**
 * @param descriptors  that the process may have open; undefined: no limit is known
 * @param tell         of the connections that each entrance keeps, by its name, when they are fewer than it was given
 */
export function fitConnections(
  config: Config,
  descriptors: number | undefined,
  tell: (facts: { readonly openFiles: number; readonly connections: Readonly<Record<string, number>> }) => void,
): Config {
  if (descriptors === undefined) return config
  const listeners = Object.values(config.listeners)
  const asked = [
    ...listeners.flatMap(one => (one.kind === 'secure' ? [{ each: 1, connections: one.limits.connections }] : [])),
    ...Object.values(config.streams).map(({ limits }) => ({ each: 2, connections: limits.connections })),
  ]
  const needOf = (share: number) =>
    sum(
      asked.map(({ each, connections }) => {
        const fewer = fewerOf(connections, share)
        return fewer * each + handshakePlacesOf({ connections: fewer }).places
      }),
    )
  const upstreams = Object.values(config.upstreams).map(one =>
    one.kind === 'ohif' ? 0 : one.connections * one.urls.length,
  )
  const plain = (1 + listeners.filter(one => one.kind === 'plain').length) * plainPlaces
  const room = descriptors - ownFiles - plain - sum(upstreams)
  let share = 1
  while (needOf(share) > room && share > least) share *= 0.95
  if (share === 1) return config

  const kept: Record<string, number> = {}
  const fit = <T extends { readonly limits: { readonly connections: number } }>(name: string, section: T): T => {
    const connections = fewerOf(section.limits.connections, share)
    kept[name] = connections
    return { ...section, limits: { ...section.limits, connections } }
  }
  const each = <T>(sections: Readonly<Record<string, T>>, change: (name: string, section: T) => T) =>
    Object.fromEntries(Object.entries(sections).map(([name, section]) => [name, change(name, section)]))
  const fitted = {
    ...config,
    listeners: each(config.listeners, (name, one) => (one.kind === 'secure' ? fit(name, one) : one)),
    streams: each(config.streams, (name, one) => fit(`streams.${name}`, one)),
  }
  tell({ openFiles: descriptors, connections: kept })
  return fitted
}
