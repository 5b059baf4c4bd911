/**
 * Work of many is begun in turns: one piece of each, and few between two looks at the network.
 *
 * Two hundred requests that one client opens at once would else be begun in one go, and everybody else waits for as long
 * as that takes. What was taken back while it waited is never begun, and costs nobody a turn.
 */

import { type Waiting, WaitingLine } from '../kernel/waiting-line.ts'

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
  readonly waiting: WaitingLine<() => boolean>
  running: number
  /** While it has something to begin and room for it. */
  turn: Waiting<Line> | undefined
}

/**
 * @param atOnce   how much is begun before the network is looked at again
 * @param running  how much may run of one owner
 */
export function createFairStart<Owner extends object>(atOnce: number, running: number): FairStart<Owner> {
  const lines = new Map<Owner, Line>()
  /** In the order of their turns. */
  const ready = new WaitingLine<Line>()
  let planned = false

  const call = (line: Line) => {
    if (line.turn !== undefined || line.waiting.isEmpty || line.running >= running) return
    line.turn = ready.add(line)
    plan()
  }
  const plan = () => {
    if (planned) return
    planned = true
    setImmediate(turn)
  }
  function turn() {
    planned = false
    for (let left = atOnce; left > 0; left--) {
      const line = ready.take()
      if (line === undefined) return
      line.turn = undefined
      for (let begin = line.waiting.take(); begin !== undefined; begin = line.waiting.take()) {
        line.running++
        if (begin()) break
        line.running--
      }
      call(line)
    }
    if (!ready.isEmpty) plan()
  }
  return {
    add(owner, begin) {
      let line = lines.get(owner)
      if (line === undefined) {
        line = { waiting: new WaitingLine(), running: 0, turn: undefined }
        lines.set(owner, line)
      }
      const { waiting } = line
      const place = waiting.add(begin)
      call(line)
      return () => waiting.leave(place)
    },
    ended(owner) {
      const line = lines.get(owner)
      if (line === undefined) return
      line.running--
      call(line)
    },
    forget(owner) {
      const line = lines.get(owner)
      if (line === undefined) return
      lines.delete(owner)
      if (line.turn !== undefined) ready.leave(line.turn)
    },
  }
}
