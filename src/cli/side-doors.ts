/**
 * Ways out of the process that nobody asked for, closed before anything secret is read: core dumps and the debugger.
 *
 * Sources: proc(5) and core(5), coredump_filter; Node's documentation of signals.
 */
import { writeFileSync } from 'node:fs'

/** No such file: not Linux. The others: a /proc that is closed to us, and then LimitCORE of the unit has to do. */
const notHere = new Set(['ENOENT', 'EACCES', 'EPERM', 'EROFS'])

export function closeSideDoors(): void {
  try {
    // A core dump is still written, but holds no memory: keys and passwords lie there. Who needs a whole one to find a bug
    // writes 0x33 into the same file of the running process.
    writeFileSync('/proc/self/coredump_filter', '0x0')
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && notHere.has(String(cause.code)))) throw cause
  }
  // Node would open its debugger on a port of this machine, to whoever reaches it, for the signal that makes other
  // servers open their logs anew.
  if (process.platform !== 'win32') process.on('SIGUSR1', () => undefined)
}
