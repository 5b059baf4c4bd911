/**
 * Reads a file again when it is another one than before, or could not be read before; asks for no more than its facts
 * otherwise.
 */
import { readFileSync, statSync } from 'node:fs'
import { unreadable } from './keystore.ts'

export interface FileWatch {
  read(): 'unchanged' | { readonly bytes: Buffer } | { readonly problem: string }
}

export function createFileWatch(file: string): FileWatch {
  let seen = ''
  return {
    read() {
      try {
        const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true })
        const facts = [dev, ino, size, mtimeNs, ctimeNs].join(' ')
        if (facts === seen) return 'unchanged'
        const bytes = readFileSync(file)
        seen = facts
        return { bytes }
      } catch (cause) {
        seen = ''
        return { problem: unreadable(file, cause) }
      }
    },
  }
}
