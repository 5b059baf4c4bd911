/**
 * Gateways that are one house: the same configuration, and a real Redis behind them.
 *
 * Call requireReal(t, redisTools) first.
 */
import type { Test } from 'tap'
import type { TestAccounts } from '../fixture/accounts.ts'
import { startAuthority, type TestAuthority } from '../fixture/authority.ts'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { startRedis, type TestRedis } from '../fixture/redis.ts'
import { type Respond, startUpstream, type Upstream } from '../fixture/upstream.ts'

export interface SharedHouse {
  readonly redis: TestRedis
  readonly authority: TestAuthority
  readonly upstream: Upstream
  readonly gateways: readonly [TestGateway, TestGateway]
}

export interface SharedHouseOptions {
  readonly respond?: Respond
  readonly accounts?: TestAccounts
  /** Absent: one of its own. */
  readonly redis?: TestRedis
  /** Where the first one looks for Redis; absent: where it is. */
  readonly store?: string
  /** YAML at the top. */
  readonly more?: string
}

export async function startSharedHouse(t: Test, options: SharedHouseOptions = {}): Promise<SharedHouse> {
  const { respond, accounts = {}, more = '' } = options
  const authority = await startAuthority(t)
  const redis = options.redis ?? (await startRedis(t))
  if (options.redis === undefined) await redis.putAccounts(accounts)
  const upstream = await startUpstream(t, respond)
  const yamlAt = (store: string) => `
sessions: { store: "${store}" }
realms: { basic: true, throttle: { name: { failures: 4, within: 30 min } } }
admin: { bind: 127.0.0.1:0 }
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }, { path: /open, upstream: app, access: everyone }]
${more}`
  const open = (store: string) => startTestGateway(t, { authority, yaml: yamlAt(store) })
  const gateways = [await open(options.store ?? redis.url), await open(redis.url)] as const
  return { redis, authority, upstream, gateways }
}

/** What an answer says by itself. */
export const statusOf = async (gateway: TestGateway, cookie: string, path = '/'): Promise<number> =>
  (await gateway.ask(path, { cookie })).status
