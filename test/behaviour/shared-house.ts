/**
 * Gateways that are one house: the same configuration, and a real Redis behind them.
 *
 * Call requireReal(t, redisTools) first.
 */
import type { Test } from 'tap'
import type { TestAccounts } from '../fixture/accounts.ts'
import { startAuthority, type TestAuthority } from '../fixture/authority.ts'
import { type GatewayOptions, startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { startRedis, type TestRedis } from '../fixture/redis.ts'
import { type Respond, startUpstream, type Upstream } from '../fixture/upstream.ts'

export interface SharedHouse {
  readonly redis: TestRedis
  readonly authority: TestAuthority
  readonly upstream: Upstream
  readonly gateways: readonly [TestGateway, TestGateway]
  /** One more. */
  open(options?: Partial<GatewayOptions>): Promise<TestGateway>
}

export interface SharedHouseOptions {
  readonly respond?: Respond
  readonly accounts?: TestAccounts
  /** Absent: that of Redis. */
  readonly store?: string
  /** YAML at the top. */
  readonly more?: string
}

export async function startSharedHouse(t: Test, options: SharedHouseOptions = {}): Promise<SharedHouse> {
  const { respond, accounts = {}, more = '' } = options
  const authority = await startAuthority(t)
  const redis = await startRedis(t)
  await redis.putAccounts(accounts)
  const upstream = await startUpstream(t, respond)
  const yaml = `
sessions: { store: "${options.store ?? redis.url}" }
realms: { basic: true, throttle: { name: { failures: 4, within: 30 min } } }
admin: { bind: 127.0.0.1:0 }
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]
${more}`
  const open = (changed: Partial<GatewayOptions> = {}) => startTestGateway(t, { authority, yaml, ...changed })
  const [first, second] = [await open(), await open()]
  return { redis, authority, upstream, gateways: [first, second], open }
}

/** What an answer says by itself. */
export const statusOf = async (gateway: TestGateway, cookie: string, path = '/'): Promise<number> =>
  (await gateway.ask(path, { cookie })).status
