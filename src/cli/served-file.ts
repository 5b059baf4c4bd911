/**
 * The configuration file of `serve`, read with all that it names: by the gateway, and by each of its workers.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { loadConfig } from '../config/load.ts'
import { inspectLoaded } from '../preflight.ts'

function readOnce(file: string) {
  const loaded = loadConfig(file)
  const { materials, problems } = inspectLoaded(loaded, process.env, Date.now())
  // Of a file that cannot be read as a whole it is not known what it names.
  const files = loaded.ok ? [file, ...loaded.files] : undefined
  return { config: loaded.ok ? loaded.config : undefined, materials, problems, files }
}

export type Served = ReturnType<typeof readOnce> & { readonly print?: string }

export function readServed(file: string): Served {
  const read = readOnce(file)
  return read.config === undefined || read.config.workers === 1 ? read : readPrinted(file)
}

/** With one text for what the files held: equal texts are one configuration. */
export function readPrinted(file: string): Served & { readonly print: string } {
  // What changes while it is read is read again: the text must be of what was read.
  for (let before: string | undefined; ; ) {
    const read = readOnce(file)
    const print = printOf(read.files ?? [file])
    if (print === before) return { ...read, print }
    before = print
  }
}

function printOf(files: Iterable<string>): string {
  const hash = createHash('sha256')
  for (const file of [...new Set(files)].toSorted()) {
    hash.update(`${JSON.stringify(file)}\n`)
    hash.update(createHash('sha256').update(contentOf(file)).digest())
  }
  return hash.digest('base64url')
}

function contentOf(file: string): Buffer | string {
  try {
    return readFileSync(file)
  } catch {
    return 'not to be read' // a folder, or gone: what reads it says so
  }
}
