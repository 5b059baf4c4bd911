// The Redis that gateways share gives no answer, or gives it late: as one that is gone (test/fault), and nothing is lost by what
// comes after all.
import t, { type Test } from 'tap'
import { seeAwayAndBack } from '../fault/redis-away.ts'
import type { Way } from '../fixture/directory-proxy.ts'
import { requireReal } from '../fixture/real.ts'
import { redisTools } from '../fixture/redis.ts'

if (!requireReal(t, redisTools)) process.exit(0)

const ways: Readonly<Record<string, Way>> = { silent: 'silent', 'four seconds late': { slow: 4_000 } }

t.test('a Redis that is', { jobs: 2 }, async t => {
  for (const [how, way] of Object.entries(ways)) t.test(how, (t: Test) => seeAwayAndBack(t, way))
})
