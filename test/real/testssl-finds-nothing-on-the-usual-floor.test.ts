/**
 * The floor that holds when nothing is written, looked at by testssl through the whole gateway.
 * All floors, and the vulnerabilities by name, take minutes: test/long.
 */
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { requireReal } from '../fixture/real.ts'
import { testsslTools } from '../fixture/testssl.ts'
import { judgeFloor } from './floors-as-published.ts'

t.test('testssl finds nothing of weight on mozilla-intermediate', async t => {
  if (!requireReal(t, testsslTools)) return
  const checks = ['-p', '-s', '-f', '-S', '-P']
  await judgeFloor(t, await startAuthority(t), { floor: 'mozilla-intermediate', key: 'rsa-2048', checks })
})
