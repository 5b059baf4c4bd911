/**
 * How many files and connections this process may have open at one time.
 *
 * Node has raised the limit as far as it may go before our first line runs. Source: proc_pid_limits(5).
 */
import { readFileSync } from 'node:fs'

/** @returns undefined where the system does not say, or sets no limit */
export function descriptorLimit(): number | undefined {
  let text: string
  try {
    text = readFileSync('/proc/self/limits', 'latin1')
  } catch {
    return undefined // not Linux
  }
  const soft = /^Max open files +(\d+)/m.exec(text)?.[1]
  return soft === undefined ? undefined : Number(soft)
}
