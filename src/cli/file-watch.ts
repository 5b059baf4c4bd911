/**
 * Notices when a file that the configuration names was changed, replaced, made or removed.
 *
 * It looks once a second instead of asking the kernel: links that are swapped (containers, certbot), network folders
 * and editors that write anew are all seen alike. A change is told once the files have been quiet for one more look, so
 * that a certificate is not read before its key has come.
 */
import { stat } from 'node:fs/promises'

export interface FileWatch extends Disposable {
  /** Looks at these from now on. */
  follow(files: Iterable<string>): void
}

/** @param changed  told which files differ from when they were last told of */
export function watchFiles(changed: (files: readonly string[]) => void, every = 1_000): FileWatch {
  let seen = new Map<string, string>()
  let moving = new Set<string>()
  let watched: readonly string[] = []
  let isLooking = false

  const look = async () => {
    const now = new Map(await Promise.all(watched.map(async file => [file, await signatureOf(file)] as const)))
    const different = [...now].filter(([file, signature]) => (seen.get(file) ?? signature) !== signature)
    seen = now
    if (different.length > 0) {
      for (const [file] of different) moving.add(file)
      return
    }
    if (moving.size === 0) return
    const told = [...moving]
    moving = new Set()
    changed(told)
  }
  const tick = () => {
    if (isLooking) return
    isLooking = true
    void look().finally(() => {
      isLooking = false
    })
  }
  const timer = setInterval(tick, every).unref()
  return {
    follow(files) {
      watched = [...new Set(files)]
      tick() // what changes within the first second is a change, too
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

async function signatureOf(file: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(file)
    return `${mtimeMs} ${size} ${ino}`
  } catch {
    return 'not there' // or not to be read, which the reload will tell
  }
}
