/**
 * A folder to make certificates in, with an authority in it or empty; and the real openssl to look at them.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { makeAuthority } from '../../src/issuer/authority.ts'
import type { IssuedEntry } from '../../src/issuer/issued-entry.ts'
import { ledgerFile, openLedger } from '../../src/issuer/ledger.ts'
import { type Surroundings, sallyport } from './command.ts'

export const secret = 'correct horse battery'

export interface Place {
  readonly cwd: string
  certs(args: readonly string[], more?: Partial<Surroundings>): ReturnType<typeof sallyport>
  openssl(...args: string[]): string
  file(path: string): string
  put(path: string, text: string): void
  /** What the ledger in `state` says; nothing where there is none. */
  issued(): IssuedEntry[]
}

export async function place(t: Test, authority: 'with authority' | 'empty' = 'with authority'): Promise<Place> {
  const cwd = mkdtempSync(join(tmpdir(), 'sallyport-certs-'))
  t.teardown(() => rmSync(cwd, { recursive: true }))
  const file = (path: string) => join(cwd, path)
  if (authority === 'with authority') {
    mkdirSync(file('certs'), { mode: 0o700 })
    await makeAuthority(file('certs/authority'), { name: 'Test CA' })
  }
  return {
    cwd,
    file,
    certs: (args, more) => sallyport(['certs', ...args], { cwd, ...more }),
    openssl: (...args) => execFileSync('openssl', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
    issued() {
      if (!existsSync(file(join('state', ledgerFile)))) return []
      using ledger = openLedger(file(join('state', ledgerFile)))
      return ledger.list()
    },
    put: (path, text) => writeFileSync(file(path), text, { mode: 0o600 }),
  }
}

export const listener = (name: string, keystore: string) =>
  `listeners: { ${name}: { bind: "127.0.0.1:8443", keystore: ${keystore} } }\n`
