// Who is signed in, as an operator sees it, and putting them out.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { requireReal } from '../fixture/real.ts'
import { redisTools, startRedis } from '../fixture/redis.ts'
import { sallyport } from './command.ts'
import { peoplePlace } from './people-place.ts'

const person = (name: string) => ({ name, realm: 'local', groups: new Set(['radiology']) })

t.test('list shows who is in, revoke ends one or all of a person, and the trail has it', async t => {
  const place = peoplePlace(t)
  const sessions = (...args: readonly string[]) => sallyport(['sessions', ...args], { cwd: place.cwd })
  const store = place.sessions()
  const [first, second, third] = ['alice', 'alice', 'bob'].map(name => store.open(person(name), 'password', '10.0.0.1'))
  const listed = await sessions('list')
  t.match(listed.stdout, /^ID +NAME +REALM +FROM +SINCE +UNTIL\n/)
  for (const one of [first, second, third]) t.match(listed.stdout, one?.session.id)
  const asJson = (await sessions('list', '--json')).stdout
  t.match(JSON.parse(asJson), [{ name: /./, groups: ['radiology'], from: '10.0.0.1' }])
  for (const said of [listed.stdout, asJson])
    t.notMatch(said, first?.cookie, 'the cookie is known to the browser alone')

  t.match(await sessions('revoke', first?.session.id ?? ''), { code: 0, stdout: /one session ended/ })
  t.match(await sessions('revoke', first?.session.id ?? ''), { code: 1, stderr: /there is no session/ })
  t.match(await sessions('revoke', '--user', 'alice'), { code: 0, stdout: /one session of alice ended/ })
  t.match(await sessions('revoke', 'an-id', '--user', 'alice'), { code: 2, stderr: /name one session, or a person/ })
  store.sweep()
  t.equal(store.find(first?.cookie ?? ''), undefined)
  t.ok(store.find(third?.cookie ?? ''))
  const trail = readFileSync(join(place.state, 'audit.jsonl'), 'utf8').trim().split('\n')
  t.match(
    trail.map(line => JSON.parse(line)),
    Array.from({ length: 2 }, () => ({ kind: 'access-ended', who: { name: 'alice' }, reason: 'session-revoked' })),
  )
  t.equal(trail.length, 2)
})

t.test('against a Redis, which may be away', async t => {
  if (!requireReal(t, redisTools)) return
  const redis = await startRedis(t, { password: 'pass-word-of-redis' })
  const cwd = t.testdir({ 'redis-password': 'pass-word-of-redis\n', wrong: 'another' })
  const written = (password: string) =>
    writeFileSync(
      join(cwd, 'sallyport.yaml'),
      `listeners: { web: { bind: "127.0.0.1:0", keystore: { certificate: none.pem } } }
sessions: { store: { url: "${redis.url}", password: { file: ${password} } } }
`,
    )
  const sessions = (...args: readonly string[]) =>
    sallyport(['sessions', ...args, '--config', 'sallyport.yaml'], { cwd })
  written('redis-password')
  const text = { id: 'aSession0001', ...person('carol'), groups: [], by: 'password', from: '', createdAt: Date.now() }
  await redis.ask('HSET', 'sallyport:sessions', 'f'.repeat(64), JSON.stringify(text))
  t.match(await sessions('revoke', '--user', 'carol'), { code: 0, stdout: /one session of carol ended/ })
  t.equal(await redis.ask('HLEN', 'sallyport:sessions'), '0')
  written('wrong')
  const refused = await sessions('list')
  t.match(refused, { code: 1, stderr: /state-unavailable: redis localhost:\d+ <- WRONGPASS/ })
  t.notMatch(refused.stderr, /another|pass-word-of-redis/)
})
