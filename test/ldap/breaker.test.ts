import t from 'tap'
import { Fault } from '../../src/kernel/fault.ts'
import { Breaker } from '../../src/ldap/breaker.ts'
import { askInOrder } from '../../src/ldap/failover.ts'

const down = new Fault('directory-unavailable', { about: 'down' })
const wrong = new Fault('directory-misconfigured', { about: 'wrong' })

function broken(breaker: Breaker): void {
  const attempt = breaker.begin()
  attempt.failed(down)
  attempt.end()
}

t.test('the pause grows from a second to half a minute, and then stays', async t => {
  let now = 0
  const breaker = new Breaker(() => now)
  t.equal(breaker.standing, 'up')
  const pauses: number[] = []
  for (let nth = 0; nth < 8; nth++) {
    broken(breaker)
    pauses.push(breaker.pause)
    now += breaker.pause
  }
  t.same(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
  t.match(breaker, { standing: 'due', failures: 8, last: down })
})

t.test('one question tries when the pause is over, and its success ends it', async t => {
  let now = 0
  const breaker = new Breaker(() => now)
  broken(breaker)
  t.equal(breaker.standing, 'aside')
  now = 1_000
  t.equal(breaker.standing, 'due')
  const attempt = breaker.begin()
  t.equal(breaker.standing, 'aside', 'for everybody else')
  attempt.succeeded()
  attempt.end()
  t.match(breaker, { standing: 'up', failures: 0, last: undefined })
})

t.test('an attempt that came to nothing leaves the place to the next', async t => {
  let now = 0
  const breaker = new Breaker(() => now)
  broken(breaker)
  now = 1_000
  breaker.begin().end()
  t.equal(breaker.standing, 'due')
})

t.test('questions that were under way together fail as one', async t => {
  let now = 0
  const breaker = new Breaker(() => now)
  const attempts = Array.from({ length: 20 }, () => breaker.begin())
  now = 500
  for (const attempt of attempts) attempt.failed(down)
  t.equal(breaker.failures, 1)
})

t.test('what is no fault of the server says nothing of it', async t => {
  const servers = [
    { url: 'a', breaker: new Breaker() },
    { url: 'b', breaker: new Breaker() },
  ]
  for (const thrown of [new TypeError('a bug'), new Fault('overloaded')]) {
    const asked: string[] = []
    await t.rejects(
      askInOrder(servers, ({ url }) => {
        asked.push(url)
        return Promise.reject(thrown)
      }),
      thrown,
    )
    t.same(asked, ['a'])
  }
  t.match(servers, [{ breaker: { failures: 0 } }, { breaker: { failures: 0 } }])
})

t.test('of several failures wrong settings are told, as somebody can mend them', async t => {
  const servers = ['a', 'b', 'c'].map(url => ({ url, breaker: new Breaker() }))
  await t.rejects(
    askInOrder(servers, ({ url }) => Promise.reject(url === 'b' ? wrong : down)),
    { code: 'directory-misconfigured', message: /a: .*down; b: .*wrong; c: .*down/, cause: wrong },
  )
})
