/**
 * Work of many is begun in turns: one piece of each, and few between two looks at the network.
 *
 * Two hundred requests that one client opens at once would else be begun in one go, and everybody else waits for as long
 * as that takes. What was taken back while it waited is never begun, and costs nobody a turn.
 */

export interface FairStart<Owner extends object> {
  /**
   * @param begin  false: there was nothing left to begin; true: `ended` is told when it is over
   * @returns      takes it back, and says whether it waited still
   */
  add(owner: Owner, begin: () => boolean): () => boolean
  ended(owner: Owner): void
  /** Nothing that it waits for is begun any more. */
  forget(owner: Owner): void
}

interface Line {
  /** What came first is first. */
  readonly queue: Set<() => boolean>
  running: number
}

/**
 * @param atOnce   how much is begun before the network is looked at again
 * @param running  how much may run of one owner
 */
export function createFairStart<Owner extends object>(atOnce: number, running: number): FairStart<Owner> {
  const lines = new Map<Owner, Line>()
  /** Those with something to begin and room for it, in the order of their turns. */
  const ready = new Set<Owner>()
  let planned = false

  const call = (owner: Owner, line: Line) => {
    if (line.queue.size === 0 || line.running >= running) return
    ready.add(owner)
    plan()
  }
  const plan = () => {
    if (planned) return
    planned = true
    setImmediate(turn)
  }
  function turn() {
    planned = false
    if (ready.size > atOnce) plan()
    for (let left = atOnce; left > 0; left--) {
      const [owner] = ready
      if (owner === undefined) return
      ready.delete(owner)
      const line = lines.get(owner)
      if (line === undefined) continue
      for (const begin of line.queue) {
        line.queue.delete(begin)
        line.running++
        if (begin()) break
        line.running--
      }
      call(owner, line)
    }
  }
  return {
    add(owner, begin) {
      let line = lines.get(owner)
      if (line === undefined) {
        line = { queue: new Set(), running: 0 }
        lines.set(owner, line)
      }
      const { queue } = line
      queue.add(begin)
      call(owner, line)
      return () => queue.delete(begin)
    },
    ended(owner) {
      const line = lines.get(owner)
      if (line === undefined) return
      line.running--
      call(owner, line)
    },
    forget(owner) {
      lines.delete(owner)
      ready.delete(owner)
    },
  }
}
