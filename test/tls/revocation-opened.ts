/**
 * Revocation lists at work, for a test: what they told, how often answers changed, and a clock to move.
 */
import type { Test } from 'tap'
import type { RevocationSection, RevocationSource } from '../../src/config/revocation.ts'
import { openRevocation, type Revocation, type RevocationParts } from '../../src/tls/revocation.ts'

export interface OpenedRevocation {
  readonly revocation: Revocation
  /** `level: message`, with source and problem behind it where they were told. */
  readonly said: string[]
  readonly changes: () => number
  /** @param milliseconds  from now on the clock is so much ahead */
  move(milliseconds: number): void
  now(): number
}

export function opened(
  t: Pick<Test, 'teardown'>,
  lists: readonly RevocationSource[],
  options: Partial<
    Pick<RevocationSection, 'refresh' | 'whenStale'> & Pick<RevocationParts, 'cacheDir' | 'fetching'>
  > = {},
): OpenedRevocation {
  const { refresh = 3_600_000, whenStale = 'refuse', cacheDir, fetching } = options
  const said: string[] = []
  let ahead = 0
  let changes = 0
  const now = () => Date.now() + ahead
  const revocation = openRevocation(
    { lists: [...lists], refresh, whenStale },
    {
      now,
      cacheDir,
      ...(fetching && { fetching }),
      tell(level, facts, message) {
        const problem = 'problem' in facts ? ` (${facts.problem})` : ''
        said.push(`${level}: ${message}${problem}`)
      },
      onChange: () => {
        changes += 1
      },
    },
  )
  t.teardown(() => revocation[Symbol.dispose]())
  return {
    revocation,
    said,
    changes: () => changes,
    now,
    move(milliseconds) {
      ahead += milliseconds
    },
  }
}

/** Asks until it is so; fails with what it last saw. */
export async function until(t: Pick<Test, 'fail'>, isSo: () => boolean, seen: () => unknown): Promise<void> {
  for (const deadline = Date.now() + 5_000; Date.now() < deadline; ) {
    if (isSo()) return
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  t.fail(`it did not become so: ${JSON.stringify(seen())}`)
}
