/**
 * Writes down, in the background, when sessions were used last. Nobody waits for it and nobody is refused for it: all that a file
 * costs which cannot be written is that a session ends by idling sooner after a restart, or at another worker.
 */
import { every } from '../kernel/every.ts'
import { Fault } from '../kernel/fault.ts'
import type { SessionRecords } from './session-records.ts'

/** Milliseconds. A backup or a command holds the file for less. */
const tellAfter = 10_000

/**
 * Every second, sooner where sessions idle for seconds only, and when it is disposed of.
 *
 * @param idle     milliseconds
 * @param changed  told once when nothing could be written for ten seconds, and when something could again (undefined)
 */
export function writtenInTime(
  records: Pick<SessionRecords, 'writeUses'>,
  idle: number,
  changed: (fault: Fault | undefined) => void,
): Disposable {
  let failingSince: number | undefined
  let isTold = false
  const write = () => {
    const now = performance.now()
    try {
      records.writeUses()
      failingSince = undefined
      if (isTold) changed(undefined)
      isTold = false
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      failingSince ??= now
      if (isTold || now - failingSince < tellAfter) return
      isTold = true
      changed(fault)
    }
  }
  const writes = every(Math.max(50, Math.min(1_000, idle / 8)), write)
  return {
    [Symbol.dispose]() {
      writes[Symbol.dispose]()
      write()
    },
  }
}
