// However guesses come at the same time, in whatever spelling, from wherever: an entry is bound only so often.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { PasswordDirectory } from '../../src/identity/directory-login.ts'
import { brand, type PersonEntry } from '../../src/ldap/person.ts'
import { realmsOf } from './realms-of.ts'

/** The same numbers for the same seed (xorshift32). */
function dice(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

/** One entry of several names, which answers after a while; other names are nobody's. */
function directoryOf(roll: (below: number) => number) {
  const tried: string[] = []
  const entry = (name: string): PersonEntry => ({
    ...{ dn: 'uid=alice,dc=lab,dc=test', attributes: new Map(), bytes: new Map(), [brand]: true as const },
    ...{ name, id: 'entryUUID:1', particulars: {}, closed: undefined, locked: undefined },
  })
  const soon = () => sleep(roll(4))
  const directory: PasswordDirectory = {
    async find(name) {
      await soon()
      const names = ['alice', 'ali', 'lissy']
      return names.includes(name) ? { kind: 'found', entry: entry(name) } : { kind: 'not-found', why: 'nobody' }
    },
    read: async () => ({ kind: 'not-found', why: 'not asked for here' }),
    async checkPassword(_, password) {
      tried.push(password)
      await soon()
      return password === 'right' ? { right: true } : { right: false, reason: 'wrong', why: 'wrong' }
    },
    groupsOf: async () => ({ kind: 'groups', groups: [{ name: 'radiology', owner: false }] }),
    pretendToCheck: soon,
  }
  return { directory, tried }
}

const spellings = ['alice', 'ali', 'lissy', 'ALICE', ' alice ', 'Ali', 'alice\u00ad', 'nobody']

for (let seed = 1; seed <= 20; seed++) {
  t.test(`seed ${seed}`, async t => {
    const roll = dice(seed * 7_919)
    const { directory, tried } = directoryOf(roll)
    const { verify } = await realmsOf(t, { at: directory, provider: 'directory' })
    t.match(await verify('alice', 'right', '10.0.0.7'), { kind: 'proven' })
    tried.length = 0

    const guess = async (nth: number, address: string) => {
      await sleep(roll(10))
      return await verify(
        spellings[roll(spellings.length)] ?? '',
        `${address === '10.0.0.7' ? 'own' : 'strange'} ${nth}`,
        address,
      )
    }
    const strangers = Array.from({ length: 120 }, (_, nth) => guess(nth, `192.0.2.${roll(30)}`))
    const own = Array.from({ length: 10 }, (_, nth) => guess(nth, '10.0.0.7'))
    await Promise.all([...strangers, ...own])
    const ofStrangers = tried.filter(password => password.startsWith('strange')).length
    t.ok(ofStrangers <= 2, `${ofStrangers} by strangers`)
    t.ok(tried.length <= 4, `${tried.length} altogether`)
  })
}
