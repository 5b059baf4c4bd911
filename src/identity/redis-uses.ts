/**
 * Tells Redis when sessions were used last, in the background: what is lost is a minute of a session.
 */
import { every } from '../kernel/every.ts'
import { ignoreFault } from '../kernel/fault.ts'
import { keyOf, type Replica } from '../redis/replica.ts'
import { useScript } from '../redis/scripts.ts'

export interface SharedUses extends Disposable {
  /** @param at  milliseconds since 1970 */
  set(digest: string, at: number): void
}

/** @param milliseconds  between two times at which it is told */
export function sharedUses(replica: Pick<Replica, 'ask' | 'downFor'>, milliseconds: number): SharedUses {
  const untold = new Map<string, number>()
  let isTelling = false

  /** @returns whether Redis took it */
  async function tell([digest, at]: readonly [string, number]): Promise<boolean> {
    try {
      await replica.ask(['EVAL', useScript, '2', keyOf('sessions'), keyOf('used'), digest, String(at)])
      if (untold.get(digest) === at) untold.delete(digest)
      return true
    } catch (fault) {
      ignoreFault(fault)
      return false
    }
  }
  const tellAll = async () => {
    const [first, ...others] = untold
    if (first === undefined || isTelling || replica.downFor() !== undefined) return
    isTelling = true
    // One that refuses is not asked for all the others.
    if (await tell(first)) await Promise.all(others.map(tell))
    isTelling = false
  }
  const times = every(milliseconds, tellAll)
  return {
    set: (digest, at) => void untold.set(digest, at),
    [Symbol.dispose]: () => times[Symbol.dispose](),
  }
}
