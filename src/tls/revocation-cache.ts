/**
 * The last good copy of fetched lists, so that a restart works while the server of an authority is down.
 *
 * A copy is worth as much as what was fetched: it is parsed and held against its signature again like anything else.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomically } from '../kernel/atomic-file.ts'
import type { ParsedList } from './revocation-list.ts'

const fileOf = (dir: string, url: string) =>
  join(dir, `${createHash('sha256').update(url).digest('hex').slice(0, 32)}.pem`)

/** Undefined: there is none. */
export function readKept(dir: string, url: string): Buffer | undefined {
  const file = fileOf(dir, url)
  return existsSync(file) ? readFileSync(file) : undefined
}

export function keep(dir: string, url: string, lists: readonly ParsedList[]): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const text = lists.map(
    ({ der, issuer }) =>
      // The name is for people, and must not end the line that it stands in.
      `# ${url}\n# ${issuer.replace(/[^\x20-\x7e]/g, '?')}\n-----BEGIN X509 CRL-----\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END X509 CRL-----\n`,
  )
  writeFileAtomically(fileOf(dir, url), text.join('\n'), 0o600)
}
