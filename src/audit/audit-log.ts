/**
 * The audit trail: one JSON line for each event, appended, readable by its owner alone.
 *
 * A sink that fails raises the alarm and lets care go on, unless the site chose `refuse`: then `record` rejects, and
 * nothing is forwarded. The file is opened anew when it was moved away, so that log rotation needs no signal. A line that a
 * full disk or a crash cut in two stays alone: the next one begins on a line of its own.
 */
import { type FileHandle, open, stat } from 'node:fs/promises'
import { Fault } from '../kernel/fault.ts'
import type { AuditEvent } from './event.ts'

export interface AuditLog extends AsyncDisposable {
  /**
   * @param id  of the request, or of the run for start and stop
   * @returns whether the line was written, once that is known; rejects with Fault audit-unavailable where it was not and
   *   the site chose `refuse`
   */
  record(id: string, event: AuditEvent): Promise<boolean>
}

export interface AuditSettings {
  readonly file: string
  readonly onFailure: 'continue' | 'refuse'
  readonly now: () => number
  /** Told of every line that could not be written. */
  readonly alarm: (cause: unknown) => void
}

export async function openAuditLog({ file, onFailure, now, alarm }: AuditSettings): Promise<AuditLog> {
  let handle: FileHandle = await open(file, 'a', 0o600)
  let inode = (await handle.stat()).ino
  let waiting: { line: string; settle: (error?: unknown) => void }[] = []
  let writing: Promise<void> | undefined
  /** After a failure, and of a file from before, it is not known whether its last line is whole. */
  let isUnsure = true

  const reopenIfMoved = async () => {
    const found = await stat(file).catch(() => undefined) // moved away: opened anew below
    if (found?.ino === inode) return
    const next = await open(file, 'a', 0o600)
    await handle.close()
    handle = next
    inode = (await handle.stat()).ino
    isUnsure = true
  }
  const endsWithinLine = async () => {
    const { size } = await handle.stat()
    if (size === 0) return false
    await using reader = await open(file, 'r')
    const { buffer } = await reader.read({ buffer: Buffer.alloc(1), position: size - 1 })
    return buffer.toString() !== '\n'
  }
  // One write at a time, with all lines that have come together meanwhile.
  const drain = async () => {
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        await reopenIfMoved()
        const start = isUnsure && (await endsWithinLine()) ? '\n' : ''
        isUnsure = true
        await handle.appendFile(`${start}${batch.map(({ line }) => line).join('')}`)
        isUnsure = false
        for (const { settle } of batch) settle()
      } catch (cause) {
        for (const { settle } of batch) settle(cause)
      }
    }
    writing = undefined
  }

  return {
    record(id, event) {
      const line = `${JSON.stringify({ time: new Date(now()).toISOString(), id, ...event })}\n`
      const written = new Promise<boolean>((resolve, reject) => {
        waiting.push({
          line,
          settle(cause) {
            if (cause === undefined) return resolve(true)
            alarm(cause)
            if (onFailure === 'refuse') reject(new Fault('audit-unavailable', { cause }))
            else resolve(false)
          },
        })
      })
      writing ??= drain()
      return written
    },
    async [Symbol.asyncDispose]() {
      await writing
      await handle.close()
    },
  }
}
