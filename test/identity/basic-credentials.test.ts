import t from 'tap'
import { proven, type Refused, refused } from '../../src/identity/answer.ts'
import { createBasicCheck, readBasic } from '../../src/identity/basic-credentials.ts'
import type { ProvenPassword } from '../../src/identity/password-realms.ts'
import type { HeaderList } from '../../src/listener/exchange.ts'
import { movedClock } from './moved-clock.ts'

const header = (value: string): HeaderList => [['authorization', value]]
const basic = (credentials: string | Buffer): HeaderList =>
  header(`Basic ${Buffer.from(credentials).toString('base64')}`)

t.test('name and password are read; a colon belongs to the password', async t => {
  t.same(readBasic(basic('alice:secret')), { name: 'alice', password: 'secret' })
  t.same(readBasic(basic('alice:a:b::')), { name: 'alice', password: 'a:b::' })
  t.same(readBasic(basic('李:пароль £')), { name: '李', password: 'пароль £' })
  t.same(readBasic(basic(':')), { name: '', password: '' })
  t.same(readBasic(header(`bAsIc   ${Buffer.from('a:b').toString('base64')}`)), { name: 'a', password: 'b' })
})

t.test('another scheme, or none, is not ours to judge', async t => {
  for (const value of ['Bearer abc', 'Basically x', 'Negotiate YII=', '']) t.equal(readBasic(header(value)), undefined)
  t.equal(readBasic([]), undefined)
})

t.test('what is malformed is refused, and nothing is asked', async t => {
  const cases: HeaderList[] = [
    header('Basic'),
    header('Basic '),
    header('Basic !!!!'),
    header('Basic YTpi YTpi'),
    basic('no colon'),
    basic(Buffer.from([0x61, 0x3a, 0xff])),
    basic('a\0:b'),
    basic('a:b\nc'),
    basic(`a:${'x'.repeat(8_000)}`),
    header(`Basic ${'A'.repeat(1024 * 1024)}`),
    [...basic('a:b'), ...basic('a:b')],
  ]
  for (const headers of cases) t.match(readBasic(headers), { kind: 'refused', reason: 'malformed-credentials' })
})

const principal = { name: 'alice', realm: 'directory', groups: new Set<string>(), proof: { kind: 'password' } } as const

interface CheckOptions {
  readonly meanwhile?: (versions: Map<string, string>) => void
  readonly capacity?: number
  readonly isStale?: () => boolean
}

function check(options: CheckOptions = {}) {
  const asked: string[] = []
  const versions = new Map<string, string>()
  const clock = movedClock()
  const standing = (name: string) => versions.get(name) ?? 'none'
  const byBasic = createBasicCheck({
    passwords: {
      async verify(name, password, address): Promise<ProvenPassword | Refused> {
        asked.push(`${name}:${password}@${address}`)
        const before = standing(name)
        options.meanwhile?.(versions)
        if (password !== 'secret') return refused('wrong-credentials', 'wrong')
        return proven({ ...principal, name, proof: { kind: 'password', standing: before } })
      },
    },
    ...{ standing, clock },
    ...(options.isStale === undefined ? {} : { isStale: options.isStale }),
    ...(options.capacity === undefined ? {} : { capacity: options.capacity }),
  })
  return { byBasic, asked, versions, clock }
}

t.test('where a lock cannot be heard of for too long nobody goes on, remembered or not', async t => {
  let isStale = false
  const { byBasic, asked } = check({ isStale: () => isStale })
  t.match(await byBasic(basic('alice:secret'), '10.0.0.1'), { kind: 'proven' })
  isStale = true
  for (const one of ['alice:secret', 'bob:secret', 'bob:wrong'])
    await t.rejects(async () => await byBasic(basic(one), '10.0.0.1'), { code: 'state-unavailable' }, one)
  t.match(await byBasic([], '10.0.0.1'), { kind: 'absent' })
  t.equal(asked.length, 1)
})

t.test('the realms are asked once a minute', async t => {
  const { byBasic, asked, clock } = check()
  for (let request = 0; request < 5; request++)
    t.match(await byBasic(basic('alice:secret'), '10.0.0.1'), { kind: 'proven', principal })
  t.equal(asked.length, 1)
  clock.move(59_999)
  await byBasic(basic('alice:secret'), '10.0.0.1')
  t.equal(asked.length, 1)
  clock.move(1)
  await byBasic(basic('alice:secret'), '10.0.0.1')
  t.equal(asked.length, 2, 'use does not lengthen the minute')
  clock.move(-1_000)
  await byBasic(basic('alice:secret'), '10.0.0.1')
  t.equal(asked.length, 3, 'nor does a clock that is set back')
})

t.test('a wrong password is asked of the realms each time, and never remembered', async t => {
  const { byBasic, asked } = check()
  await byBasic(basic('alice:secret'), '10.0.0.1')
  for (let request = 0; request < 3; request++)
    t.match(await byBasic(basic('alice:wrong'), '10.0.0.1'), { kind: 'refused' })
  t.equal(asked.length, 4)
})

t.test('a name and a password that run together otherwise are another pair', async t => {
  const { byBasic, asked } = check()
  await byBasic(basic('alice:secret'), '')
  await byBasic(basic('alic:e:secret'), '')
  t.same(asked, ['alice:secret@', 'alic:e:secret@'])
})

t.test('an account that changed, came or went is asked anew', async t => {
  const { byBasic, asked, versions } = check()
  const ask = () => byBasic(basic('alice:secret'), '')
  await ask()
  versions.set('alice', '1')
  await ask()
  t.equal(asked.length, 2, 'a local account came under this name')
  await ask()
  t.equal(asked.length, 2)
  versions.set('alice', '2')
  await ask()
  t.equal(asked.length, 3, 'it changed')
  versions.delete('alice')
  await ask()
  t.equal(asked.length, 4, 'it went')
})

t.test('an account that changes while its password is checked is not remembered', async t => {
  const { byBasic, asked } = check({
    meanwhile: all => all.set('alice', 'locked meanwhile'),
  })
  await byBasic(basic('alice:secret'), '')
  await byBasic(basic('alice:secret'), '')
  t.equal(asked.length, 2)
})

t.test('memory is bounded, and the one not used for longest is forgotten', async t => {
  const { byBasic, asked } = check({ capacity: 2 })
  for (const name of ['a', 'b', 'a', 'c', 'a']) await byBasic(basic(`${name}:secret`), '')
  t.same(asked, ['a:secret@', 'b:secret@', 'c:secret@'])
  await byBasic(basic('b:secret'), '')
  t.equal(asked.length, 4)
})
