/**
 * A decision is recorded before it is acted on; and the access line tells each exchange once, when it has ended.
 */
import { pino } from 'pino'
import t from 'tap'
import { createAccessLog } from '../../src/audit/access-log.ts'
import type { AuditEvent } from '../../src/audit/event.ts'
import { createNoteworthy } from '../../src/audit/noteworthy.ts'
import { createRecorder } from '../../src/audit/recorder.ts'
import { type Answer, absent, refused } from '../../src/identity/answer.ts'
import type { Identity } from '../../src/identity/authenticator.ts'
import { Fault } from '../../src/kernel/fault.ts'
import { Settleable } from '../../src/kernel/outcome.ts'
import type { Ending, Exchange } from '../../src/listener/exchange.ts'
import { decide } from '../../src/policy/decide.ts'
import { operationOf } from '../../src/policy/operation.ts'
import type { Route } from '../../src/route/route.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'

const route: Route = {
  label: 'routes[0]',
  host: undefined,
  path: '/',
  upstream: 'pacs',
  kind: 'orthanc',
  strip: false,
  access: 'everyone',
}
const closed: Route = { ...route, access: 'authenticated' }
const identity = (certificateAnswer: Answer): Identity => ({
  answer: absent,
  certificateAnswer,
  session: undefined,
  loggedOutMark: false,
})

function start(onFailure: 'continue' | 'refuse', state: 'good' | 'full' | 'gone' = 'good') {
  const events: AuditEvent[] = []
  const { promise: disk, resolve } = Promise.withResolvers<void>()
  const metrics = createMetrics()
  const audit = {
    async record(_id: string, event: AuditEvent) {
      events.push(event)
      await disk
      if (state === 'gone') throw new Fault('audit-unavailable')
      return state === 'good'
    },
  }
  const record = createRecorder({ audit, noteworthy: createNoteworthy(() => 0), metrics, onFailure })
  const tell = async (to: Route, method = 'DELETE', certificate: Answer = absent) =>
    await record({
      id: 'r-1',
      method,
      target: { path: '/instances/1', query: undefined },
      client: '192.0.2.1',
      route: to,
      decision: decide(to, operationOf('orthanc', method, '/instances/1'), absent),
      identity: identity(certificate),
    })
  return { events, metrics, tell, resolve }
}

t.test('care does not wait for the disk, unless the site chose to refuse', async t => {
  const carefree = start('continue')
  await carefree.tell(route)
  t.match(carefree.events, [{ kind: 'deletion' }])

  const strict = start('refuse')
  let done = false
  const told = strict.tell(route).then(() => {
    done = true
  })
  await new Promise(resolve => setTimeout(resolve, 20))
  t.notOk(done, 'nothing is forwarded before the line is written')
  strict.resolve()
  await told

  const broken = start('refuse', 'gone')
  broken.resolve()
  await t.rejects(broken.tell(route), { code: 'audit-unavailable' })
})

t.test('a refused certificate is told beside the decision, and denials are counted each time', async t => {
  const { tell, events, metrics } = start('continue')
  const certificate = refused('certificate-expired', 'ended yesterday')
  await tell(closed, 'GET', certificate)
  await tell(closed, 'GET', certificate)
  t.match(events, [
    { kind: 'certificate-refused', reason: 'certificate-expired' },
    { kind: 'denial', reason: 'no-identity' },
  ])
  t.equal(events.length, 2)
  t.match(await metrics.registry.getSingleMetricAsString('sallyport_denials_total'), /reason="no-identity"\} 2/)
})

t.test('what could not be written has not been told, and is told again', async t => {
  for (const [state, times] of [
    ['good', 1],
    ['full', 2],
  ] as const) {
    const { tell, events, resolve } = start('continue', state)
    resolve()
    for (let round = 0; round < 2; round++) {
      await tell(closed, 'GET')
      await new Promise(setImmediate)
    }
    t.equal(events.length, times, state)
  }
})

t.test('each exchange is one access line, with what was learnt of it on the way', async t => {
  const lines: object[] = []
  const log = {
    info: (line: object) => void lines.push(line),
    debug: () => undefined,
    warn: () => undefined,
    error: () => undefined,
  }
  const metrics = createMetrics()
  const access = createAccessLog(log, metrics, () => 1_250)
  const finished = new Settleable<Ending>()
  // Only what the access log reads of an exchange.
  const exchange = {
    id: 'r-1',
    startedAt: 1_000,
    connection: { listener: 'web', address: '10.0.0.5', protocol: 'HTTP/2' },
    request: { method: 'GET' },
    reply: { status: 200, bytes: 5 },
    finished,
  } as unknown as Exchange
  access.open(exchange)
  t.match(await metrics.registry.getSingleMetricAsString('sallyport_exchanges_in_flight'), /listener="web"\} 1/)
  Object.assign(access.factsOf(exchange), { client: '192.0.2.1', path: '/x', route })
  access.factsOf(exchange).fault = 'upstream-broken'
  t.same(lines, [])
  finished.settle('client-gone')
  t.match(lines, [
    {
      id: 'r-1',
      client: '192.0.2.1',
      path: '/x',
      route: 'routes[0]',
      status: 200,
      bytes: 5,
      ms: 250,
      fault: 'upstream-broken',
      ending: 'client-gone',
    },
  ])
  t.equal(lines.length, 1)
  const text = await metrics.registry.metrics()
  t.match(text, /sallyport_exchanges_in_flight\{listener="web"\} 0/)
  t.match(text, /sallyport_exchanges_total\{listener="web",route="routes\[0\]",status="200",ending="client-gone"\} 1/)
  t.notMatch(text, /192\.0\.2\.1|10\.0\.0\.5|"\/x"/, 'labels hold no person, path or address')
})

t.test('the line that we put together is the one that pino would write, whatever stands in it', async t => {
  const odd = [
    'plain',
    'a"b\\c',
    '\0\x01\x1f\x7f\r\n',
    'é \u2028 日本',
    '\ud800 alone',
    'x'.repeat(100),
    '',
    '__proto__',
  ]
  const facts = odd.flatMap(text => [
    { client: text, path: text, route: { ...route, label: text, upstream: text }, fault: text, cache: 'hit' as const },
    { path: text },
    {},
  ])
  for (const [index, given] of facts.entries()) {
    let [ours, theirs] = ['', '']
    const write = (line: string) => {
      theirs = line
    }
    const line = pino({ base: null, timestamp: false }, { write })
    const text = Object.assign(pino({ enabled: false }), {
      infoText(fields: string, message: string) {
        ours = `{"level":30,${fields},"msg":"${message}"}\n`
      },
    })
    for (const log of [line, text]) {
      const finished = new Settleable<Ending>()
      // Only what the access log reads of an exchange.
      const exchange = {
        ...{ id: 'r-1', startedAt: 1_000, finished },
        connection: { listener: 'web', address: '10.0.0.5', protocol: 'HTTP/2' },
        request: { method: 'GET' },
        reply: { status: index % 2 === 0 ? 200 : undefined, bytes: 5 },
      } as unknown as Exchange
      const access = createAccessLog(log, createMetrics(), () => 1_250)
      access.open(exchange)
      Object.assign(access.factsOf(exchange), given)
      finished.settle(index % 2 === 0 ? 'complete' : 'aborted')
    }
    // pino leaves half a character as it is, which is no text.
    t.equal(ours.replaceAll('\\ud800', '\ud800'), theirs)
    t.same(JSON.parse(ours), JSON.parse(theirs))
  }
})
