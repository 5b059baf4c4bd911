/**
 * A replica of a test's own Redis, and what it tells of it.
 */
import type { Test } from 'tap'
import { openReplica, type Replica } from '../../src/redis/replica.ts'
import type { TestRedis } from '../fixture/redis.ts'

export interface OpenedReplica {
  readonly replica: Replica
  /** `back`, or the code of the fault, for each change. */
  readonly told: readonly string[]
}

export async function openAt(t: Pick<Test, 'teardown'>, { port }: Pick<TestRedis, 'port'>): Promise<OpenedReplica> {
  const told: string[] = []
  const replica = await openReplica({
    section: { kind: 'redis', host: '127.0.0.1', port, database: 0, tls: undefined },
    ...{ password: undefined, trust: undefined },
    changed: fault => void told.push(fault === undefined ? 'back' : fault.code),
  })
  t.teardown(() => replica[Symbol.asyncDispose]())
  return { replica, told }
}
