/**
 * An ACME keystore that is supplied by an authority which misbehaves, and a clock that can be moved.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { openAcme } from '../../src/acme/acme.ts'
import { startOddAuthority } from './odd-authority.ts'
import { type Told, until } from './ordering.ts'

export async function startOddOrdering(t: Pick<Test, 'teardown'>, { trusted }: { trusted?: readonly string[] } = {}) {
  const authority = await startOddAuthority(t)
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-odd-acme-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const tokens: string[] = []
  const told: Told[] = []
  let ahead = 0
  let renewals = 0
  const now = () => Date.now() + ahead
  const open = (names = ['pacs.example.org']) => {
    const acme = openAcme(
      { kind: 'acme', directory: authority.directory, email: undefined, names, ca: undefined, eab: undefined },
      {
        dir,
        now,
        challenges: { set: token => void tokens.push(token), delete: () => undefined },
        tell: (level, facts, message) => void told.push({ level, message, ...facts }),
        renewed: () => {
          renewals++
        },
        ca: trusted ?? authority.ca,
      },
    )
    t.teardown(() => acme[Symbol.asyncDispose]())
    return acme
  }
  return {
    ...authority,
    tokens,
    told,
    dir,
    open,
    now,
    move: (milliseconds: number) => {
      ahead += milliseconds
    },
    failed: (n = 1) =>
      until(
        `order ${n} failed`,
        () => told.filter(({ cause }) => cause).length >= n,
        () => told,
      ),
    came: (n = 1) =>
      until(
        `certificate ${n} came`,
        () => renewals >= n,
        () => told,
      ),
  }
}
