/**
 * Who may hold how many connections, and who has to go when another one comes.
 *
 * A connection with nothing under way gives its place to a newcomer: an archive that cannot be reached is worse than a
 * connection that has to be made once more. It is taken from whoever holds most, the one that has been quiet for longest
 * first: a flood pays with its own. What is under way is never cut to make room, and neither is what was a moment ago: when
 * all come at one time, as after a restart, those who came first get to the end of their handshake.
 */
import { type Waiting, WaitingLine } from '../kernel/waiting-line.ts'
import { addressKey } from './client-address.ts'

export interface ConnectionLimits {
  /** At one time, on all addresses of the listener together. */
  readonly connections: number
  readonly connectionsPerAddress?: number | undefined
}

export interface PlaceLimits {
  readonly places: number
  readonly perAddress: number
}

/** So many may always come from one address, or be without a handshake: a small listener is nobody's fault. */
const few = 16
/** So many may be without a handshake where there are as many connections: all come at one time after a restart. */
export const usual = 256

/** Half of all places may come from one address, unless its share was written down. */
export const placesOf = ({ connections, connectionsPerAddress }: ConnectionLimits): PlaceLimits => ({
  places: connections,
  perAddress: connectionsPerAddress ?? Math.max(few, Math.ceil(connections / 2)),
})

/** Connections without a handshake have places of their own: a quarter as many, or more where that would be few. */
export const handshakePlacesOf = ({
  connections,
  connectionsPerAddress = connections,
}: ConnectionLimits): PlaceLimits => {
  const all = placesOf({ connections: Math.max(few, Math.min(usual, connections), Math.ceil(connections / 4)) })
  return { ...all, perAddress: Math.min(connectionsPerAddress, all.perAddress) }
}

export interface Place {
  /** Something is under way; called as often as `end`. */
  begin(): void
  end(): void
  /** One more place for the same connection, which needs two descriptors from now on. @returns whether there was one */
  widen(): boolean
  /** It needs one less. */
  narrow(): void
  /** The connection is gone; calling it again does nothing. */
  leave(): void
}

/** `crowded`: the address has its share. `full`: there is room for nobody. */
export type NoRoom = 'crowded' | 'full'

export interface Places {
  /** Why a connection from there would get no place now. */
  refusal(address: string): NoRoom | undefined
  /** @param letGo  ends the connection, whose place is free already */
  take(address: string, letGo: () => void): Place | NoRoom
}

/** Milliseconds for which a connection must have been quiet before it makes room. */
const moment = 1_000

interface Held {
  readonly letGo: () => void
  /** By the clock of the process. */
  quietSince: number
  /** While it is quiet. */
  silence: Waiting<Held> | undefined
  underWay: number
  width: number
}

/** All connections of one address. */
interface Holder {
  places: number
  /** The one that has been quiet for longest first. */
  readonly quiet: WaitingLine<Held>
}

/**
 * @param limits    asked each time
 * @param isExempt  whether an address stands for many clients, and has no share of its own
 */
export function createPlaces(limits: () => PlaceLimits, isExempt: (address: string) => boolean): Places {
  const holders = new Map<string, Holder>()
  let [taken, quiet] = [0, 0]

  const shareOf = (address: string) => (isExempt(address) ? Number.POSITIVE_INFINITY : limits().perAddress)
  const refusal = (address: string): NoRoom | undefined => {
    const own = holders.get(addressKey(address))
    if (own !== undefined && own.places >= shareOf(address)) return own.quiet.isEmpty ? 'crowded' : undefined
    return taken >= limits().places && quiet === 0 ? 'full' : undefined
  }
  const stir = (holder: Holder, held: Held) => {
    if (held.silence !== undefined && holder.quiet.leave(held.silence)) quiet--
    held.silence = undefined
  }
  const leave = (holder: Holder, key: string, held: Held) => {
    if (held.width === 0) return
    taken -= held.width
    holder.places -= held.width
    held.width = 0
    stir(holder, held)
    if (holder.places === 0) holders.delete(key)
  }
  /** @param key  of the one holder who may lose a place; absent: whoever has most of them */
  const letOneGo = (key: string | undefined) => {
    const [from = '', holder] = key === undefined ? largest(holders) : [key, holders.get(key)]
    const first = holder && oldest(holder)
    if (holder === undefined || first === undefined) return false
    leave(holder, from, first)
    first.letGo()
    return true
  }
  /** Room for one more. */
  const makeRoom = (address: string): NoRoom | undefined => {
    const key = addressKey(address)
    while ((holders.get(key)?.places ?? 0) >= shareOf(address)) if (!letOneGo(key)) return 'crowded'
    while (taken >= limits().places) if (!letOneGo(undefined)) return 'full'
    return undefined
  }

  return {
    refusal,
    take(address, letGo) {
      const none = makeRoom(address)
      if (none !== undefined) return none
      const key = addressKey(address)
      const holder = holders.get(key) ?? { places: 0, quiet: new WaitingLine() }
      holders.set(key, holder)
      const held: Held = { letGo, quietSince: 0, silence: undefined, underWay: 0, width: 1 }
      const isQuiet = () => {
        held.quietSince = performance.now()
        held.silence = holder.quiet.add(held)
        quiet++
      }
      taken++
      holder.places++
      isQuiet()
      return {
        begin() {
          held.underWay++
          stir(holder, held)
        },
        end() {
          held.underWay--
          if (held.underWay === 0 && held.width > 0) isQuiet()
        },
        widen() {
          if (held.width === 0 || makeRoom(address) !== undefined) return false
          taken++
          holder.places++
          held.width++
          return true
        },
        narrow() {
          if (held.width < 2) return
          taken--
          holder.places--
          held.width--
        },
        leave: () => leave(holder, key, held),
      }
    },
  }
}

/** What it can lose first. */
function oldest({ quiet }: Holder): Held | undefined {
  const { first } = quiet
  return first !== undefined && performance.now() - first.quietSince >= moment ? first : undefined
}

/** Of those who have something to lose. */
function largest(holders: ReadonlyMap<string, Holder>): readonly [string, Holder] | [] {
  let found: readonly [string, Holder] | [] = []
  let most = 0
  for (const entry of holders) {
    const [, holder] = entry
    if (holder.places <= most || oldest(holder) === undefined) continue
    most = holder.places
    found = entry
  }
  return found
}
