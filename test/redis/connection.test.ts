// A Redis is believed and asked only on the terms of the configuration, and no password stands in what is said of it.
import t, { type Test } from 'tap'
import { checkStore } from '../../src/cli/check-online-store.ts'
import { causeLine } from '../../src/kernel/fault.ts'
import { Secret } from '../../src/kernel/secret.ts'
import { connectRedis } from '../../src/redis/connection.ts'
import { readPeerTrust } from '../../src/tls/peer-trust.ts'
import { startAuthority, type TestAuthority } from '../fixture/authority.ts'
import { requireReal } from '../fixture/real.ts'
import { redisTools, startRedis } from '../fixture/redis.ts'

if (!requireReal(t, redisTools)) process.exit(0)

const password = 'pass-word-of-redis'
const placeOf = (port: number, host = 'localhost') => ({
  ...({ kind: 'redis', host, port, database: 0 } as const),
  tls: undefined,
})

async function outcome(work: ReturnType<typeof connectRedis>): Promise<string> {
  try {
    using connection = await work
    return String(await connection.ask(['PING']))
  } catch (fault) {
    return causeLine(fault)
  }
}

t.test('the password is asked for, and stands in no message', async t => {
  const { port } = await startRedis(t, { password })
  const by = (text: string | undefined, database = 0) =>
    outcome(
      connectRedis({
        section: { ...placeOf(port), database },
        password: text === undefined ? undefined : new Secret(text),
        trust: undefined,
      }),
    )
  t.equal(await by(password), 'PONG')
  t.match(await by('another one'), /state-unavailable: redis localhost:\d+ <- WRONGPASS/)
  t.match(await by(undefined), /NOAUTH/)
  t.match(await by(password, 99), /DB index is out of range/)
  for (const said of [await by('another one'), await by(password, 99)])
    t.notMatch(said, new RegExp(`another one|${password}`))
})

t.test('over TLS it proves its name by the authority that was named, and asks for our certificate', async t => {
  const [authority, other] = [await startAuthority(t), await startAuthority(t, 'Another')]
  const { port } = await startRedis(t, { tls: authority })
  const ours = await authority.client('gateway')
  const trustOf = (ca: TestAuthority, shown = true) =>
    readPeerTrust(
      { ca: ca.caFile, depth: 0, ...(shown ? { certificate: ours.certFile, key: ours.keyFile } : {}) },
      undefined,
      Date.now(),
      (key, message) => t.fail(`${key}: ${message}`),
    )
  const over = (trust: ReturnType<typeof trustOf>, host?: string) =>
    outcome(connectRedis({ section: placeOf(port, host), password: undefined, trust }, 5_000))
  t.equal(await over(trustOf(authority)), 'PONG')
  t.equal(await over(trustOf(authority), '127.0.0.1'), 'PONG', 'an address stands in its certificate too')
  t.match(await over(trustOf(other)), /SELF_SIGNED_CERT|UNABLE_TO_VERIFY|unable to|self-signed/)
  t.match(await over(trustOf(authority), 'ip6-localhost'), /does not match|ENOTFOUND|EAI_AGAIN/)
  t.match(await over(trustOf(authority, false)), /state-unavailable/)
  t.match(await over(undefined), /state-unavailable/, 'without TLS')
})

t.test('what gets no answer in time ends the connection, what is refused does not', async (t: Test) => {
  const redis = await startRedis(t)
  using connection = await connectRedis({ section: placeOf(redis.port), password: undefined, trust: undefined })
  await t.rejects(connection.ask(['NO-SUCH-COMMAND']), { code: 'state-unavailable' })
  t.equal(await connection.ask(['PING']), 'PONG')
  const held = redis.hold()
  await t.rejects(connection.ask(['PING'], 200), { code: 'state-unavailable', cause: { message: /no answer/ } })
  held[Symbol.dispose]()
  t.ok(connection.ended.aborted)
  await t.rejects(connection.ask(['PING']), { code: 'state-unavailable' })
})

t.test('check --online tells version and TLS, and warns of a Redis that would forget revocations', async t => {
  const redis = await startRedis(t, { password })
  const section = placeOf(redis.port)
  const said = async (text = password) => {
    const store = { password: new Secret(text), trust: undefined }
    const found = checkStore({ sessions: { store: section } } as Parameters<typeof checkStore>[0], { store })
    return await found?.work().catch(causeLine)
  }
  t.match(await said(), /^version 7[.\d]+, without TLS$/)
  await redis.ask('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
  await redis.ask('CONFIG', 'SET', 'appendonly', 'no')
  t.match(await said(), /warning: maxmemory-policy is allkeys-lru.*warning: it keeps nothing on its disk/)
  t.match(await said('another one'), /WRONGPASS/)
})
