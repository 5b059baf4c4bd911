/**
 * Every floor with each kind of key, looked at by testssl through the whole gateway, vulnerabilities included.
 */
import t from 'tap'
import { floorNames } from '../../src/config/terms.ts'
import { startAuthority } from '../fixture/authority.ts'
import { requireReal } from '../fixture/real.ts'
import { testsslTools } from '../fixture/testssl.ts'
import { judgeFloor } from '../real/floors-as-published.ts'

t.setTimeout(1_800_000)

t.test('testssl finds on each floor what its source says, and nothing of weight', async t => {
  if (!requireReal(t, testsslTools)) return
  t.setTimeout(1_800_000)
  const authority = await startAuthority(t)
  const checks = ['-p', '-s', '-f', '-S', '-P', '-U']
  for (const floor of floorNames)
    for (const key of ['rsa-2048', 'ec-p256'] as const)
      await t.test(`${floor} with a key of ${key}`, async t => {
        t.setTimeout(300_000)
        await judgeFloor(t, authority, { floor, key, checks })
      })
})
