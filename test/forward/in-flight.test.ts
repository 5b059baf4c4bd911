// What runs is held to who its person is now, and to the rules of now; one that hangs on nobody goes by the rules alone.
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { createInFlight, type Judge, type Work } from '../../src/forward/in-flight.ts'
import { absent, proven } from '../../src/identity/answer.ts'
import type { Principal, Proof } from '../../src/identity/principal.ts'
import { Fault } from '../../src/kernel/fault.ts'
import { decide } from '../../src/policy/decide.ts'

const second = 1_000

function start(t: Pick<Test, 'teardown'>, idle = 30 * 60 * second) {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const ended: string[] = []
  const barred: unknown[] = []
  const touched: string[] = []
  /** By name: what has become of somebody. Absent: nothing. */
  const changed = new Map<string, Principal | 'broken' | undefined>()
  const closed = new Set<string>()
  let asked = 0
  let tell: (id: string) => void = () => undefined
  const state = { touch: (id: string) => !closed.has(id) }
  const inFlight = createInFlight({
    idle,
    sessions: {
      touch(id) {
        touched.push(id)
        return state.touch(id)
      },
      onEnd(listener) {
        tell = listener
      },
    },
    barred: (who, why) => barred.push([who?.name, why]),
  })
  t.teardown(() => inFlight[Symbol.dispose]())
  const judge = (bars: Judge['bars'] = () => undefined): Judge => ({
    present(was) {
      asked++
      const now = changed.has(was.name) ? changed.get(was.name) : was
      if (now === 'broken') throw new Fault('state-unavailable', { about: 'accounts' })
      return was.proof.kind === 'session' && closed.has(was.proof.id) ? undefined : now
    },
    bars,
  })
  inFlight.judgeBy(judge())
  const proofs: Readonly<Record<string, Proof>> = {
    session: { kind: 'session', by: 'password', id: 's1' },
    password: { kind: 'password', standing: '1' },
    certificate: { kind: 'certificate', fingerprint: 'AB' },
  }
  const who = (
    name: string,
    by: 'session' | 'password' | 'certificate',
    groups: readonly string[] = [],
  ): Principal => ({
    ...{ name, realm: 'local', groups: new Set(groups), proof: proofs[by] ?? { kind: 'password' } },
  })
  const add = (what: string, principal: Principal | undefined, moved?: () => boolean) => {
    const route = {
      ...({ label: 'routes[0]', host: undefined, path: '/', upstream: 'app', kind: 'generic', strip: false } as const),
      access: principal === undefined ? ('everyone' as const) : ('authenticated' as const),
    }
    const answer = principal === undefined ? absent : proven(principal)
    const permit = decide(route, { method: 'GET', needs: 'read', dangerous: false }, answer)
    const exchange = { connection: { socket: {} } }
    const isUse = { lasting: moved !== undefined, moved: moved ?? (() => true) }
    const work = { exchange, target: { path: '/' }, permit, ...isUse }
    const end: Work['end'] = ({ code, reason }) => ended.push(`${what}: ${code} ${reason}`)
    return inFlight.add({ ...work, end } as unknown as Work) // of an exchange, all that is looked at is its socket
  }
  return {
    ...{ inFlight, ended, barred, touched, changed, closed, state, judge, who, add },
    asked: () => asked,
    tell: (id: string) => tell(id),
    tick: (milliseconds: number) => mock.timers.tick(milliseconds),
  }
}

t.test('whoever is nobody any more loses what runs within a second, and nobody else does', async t => {
  const { ended, changed, closed, who, add, tick } = start(t)
  add('her download', who('alice', 'password'))
  add('his download', who('bob', 'password'))
  add('her socket', who('carol', 'session'), () => false)
  add('an open route', undefined)
  tick(5 * second)
  t.same(ended, [])
  changed.set('alice', undefined)
  tick(second)
  t.same(ended, ['her download: 1008 the account has changed'])
  closed.add('s1')
  tick(second)
  t.same(ended.slice(1), ['her socket: 1008 the session has ended'])
  tick(5 * second)
  t.equal(ended.length, 2, 'and is told once')
})

t.test('who was put out while the upstream took its time gets no WebSocket at all', async t => {
  const { ended, changed, who, add } = start(t)
  changed.set('alice', undefined)
  add('socket', who('alice', 'password'), () => false)
  t.same(ended, ['socket: 1008 the account has changed'])
})

t.test('the end of a session that is told here is felt at once', async t => {
  const { ended, who, add, tell } = start(t)
  add('download', who('alice', 'session'))
  add('another', who('alice', 'password'))
  tell('s1')
  t.same(ended, ['download: 1008 the session has ended'])
})

t.test('an end that is found in a look is told once, and the look goes on to everybody else', async t => {
  const { inFlight, ended, closed, changed, judge, who, add, tell, tick } = start(t)
  add('first', who('alice', 'session'))
  add('second', who('alice', 'session'))
  add('his', who('bob', 'password'))
  closed.add('s1')
  changed.set('bob', undefined)
  // As the store does it: whoever asks for a session that is over has it end.
  const { present, bars } = judge()
  inFlight.judgeBy({
    present(was, passed) {
      if (was.name === 'alice') tell('s1')
      return present(was, passed)
    },
    bars,
  })
  tick(second)
  t.same(ended, [
    'first: 1008 the session has ended',
    'second: 1008 the session has ended',
    'his: 1008 the account has changed',
  ])
})

t.test('a person is asked for once in a look, however much runs, and judged again only by something new', async t => {
  const { inFlight, judge, who, add, tick, asked, changed, ended, barred } = start(t)
  const works = Array.from({ length: 300 }, (_, nth) => add(`download ${nth}`, who('alice', 'session', ['a', 'b'])))
  const before = asked()
  tick(second)
  t.equal(asked() - before, 1)
  let judged = 0
  inFlight.judgeBy(
    judge((_, principal) => {
      judged++
      return principal?.groups.has('a') ? undefined : 'not-a-member'
    }),
  )
  tick(3 * second)
  t.equal(judged, 300, 'once by the rules of a reload')
  changed.set('alice', who('alice', 'session', ['b', 'a']))
  tick(second)
  t.equal(judged, 300, 'the same groups are nothing new')
  changed.set('alice', who('alice', 'session', ['b']))
  tick(second)
  t.equal(ended.length, 300)
  t.match(ended[0], '1008 not permitted any more')
  t.same(barred, [['alice', 'not-a-member']], 'which is told once')
  for (const work of works) work[Symbol.dispose]()
  const after = asked()
  tick(second)
  t.equal(asked(), after, 'nobody is asked for when nothing runs')
})

t.test('who is barred on a hundred connections is told of once', async t => {
  const { inFlight, judge, who, add, ended, barred } = start(t)
  for (let nth = 0; nth < 100; nth++) add(`download ${nth}`, who('script', 'certificate'))
  add('hers', who('alice', 'certificate'))
  inFlight.judgeBy(judge(() => 'not-a-member'))
  t.equal(ended.length, 101)
  t.same(barred, [
    ['script', 'not-a-member'],
    ['alice', 'not-a-member'],
  ])
})

t.test('what is open to everyone goes by the rules alone', async t => {
  const { inFlight, judge, add, ended } = start(t)
  add('open', undefined)
  inFlight.judgeBy(judge(() => 'no-identity'))
  t.same(ended, ['open: 1008 not permitted any more'], 'at once')
})

t.test('records that cannot be read end nothing, and keep nobody else from being looked at', async t => {
  const { ended, changed, who, add, tick } = start(t)
  add('hers', who('alice', 'password'))
  add('his', who('bob', 'password'))
  changed.set('alice', 'broken').set('bob', undefined)
  tick(3 * second)
  t.same(ended, ['his: 1008 the account has changed'])
  changed.set('alice', undefined)
  tick(second)
  t.equal(ended.length, 2, 'and end it when they can be read again')
})

t.test('a mistake of ours is not passed over as if records could not be read', async t => {
  const { state, who, add, tick } = start(t)
  add('download', who('alice', 'session'))
  state.touch = () => {
    throw new TypeError('a bug')
  }
  t.throws(() => tick(second), TypeError)
})

t.test('traffic is use of the session; a WebSocket without messages is none', async t => {
  const { touched, who, add, tick } = start(t)
  let moves = false
  const socket = add('socket', who('alice', 'session'), () => moves)
  tick(60 * second)
  t.same(touched, [])
  moves = true
  tick(second)
  t.same(touched, ['s1'])
  socket[Symbol.dispose]()
  add('upload', who('alice', 'session'))
  tick(second)
  t.same(touched, ['s1', 's1'])
})

t.test('a session file that somebody keeps is left alone for a while', async t => {
  const { touched, state, who, add, tick, ended } = start(t)
  add('upload', who('alice', 'session'))
  state.touch = () => {
    throw new Fault('state-unavailable', { about: 'sessions' })
  }
  let moves = true
  add('socket', { ...who('bob', 'session'), proof: { kind: 'session', by: 'password', id: 's2' } }, () => moves)
  tick(second)
  moves = false
  tick(60 * second)
  t.equal(touched.length, 2, 'each try may wait for whoever keeps it')
  t.same(ended, [])
  state.touch = () => true
  tick(31 * second)
  t.ok(touched.includes('s2'), 'use of that time is written afterwards')
})

t.test('a short idle time is looked at more often', async t => {
  const { touched, who, add, tick } = start(t, 800)
  add('upload', who('alice', 'session'))
  tick(second)
  t.equal(touched.length, 5)
})

t.test('a stop says goodbye to WebSockets, also to those that are just being opened, and to nothing else', async t => {
  const { inFlight, ended, who, add } = start(t)
  add('download', who('alice', 'session'))
  add('socket', who('alice', 'session'), () => false)
  inFlight.endLasting()
  add('late', who('alice', 'session'), () => false)
  t.same(ended, ['socket: 1001 the gateway is stopping', 'late: 1001 the gateway is stopping'])
})
