// H11: whatever an upstream sends too early, too late or too much, the next person gets the answer to their own question
// (CVE-2026-48931, CVE-2025-4366).
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { type App, protocols, startApp, within } from '../behaviour/app.ts'
import type { Respond } from '../fixture/upstream.ts'
import { type Answer, reply, withTail } from '../fixture/upstream-answers.ts'
import { head, openRaw, statuses, stillAnswers } from './raw-request.ts'

const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 8\r\nSet-Cookie: poison=1\r\n\r\npoisoned'

const late =
  (bytes: string, ...after: readonly number[]): Answer =>
  async line => {
    await reply({ body: line.request.target })(line)
    for (const milliseconds of after) {
      await pause(milliseconds)
      await line.write(bytes)
    }
  }
const misbehaving: Readonly<Record<string, Answer>> = {
  'a second answer at once': withTail({ body: '/odd' }, poison),
  'a second answer behind one without a body': line => line.write(`HTTP/1.1 204 No Content\r\n\r\n${poison}`),
  'a second answer behind a 304': line => line.write(`HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n${poison}`),
  'more than its length': line => line.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n/oddpoisoned'),
  'a second answer behind chunks': withTail({ body: '/odd', chunk: 2 }, poison),
  'a second answer on an idle connection': late(poison, 100),
  'half an answer on an idle connection': late('HTTP/1.1 200 OK\r\nContent-Le', 50),
  'garbage on an idle connection': late('\0\0\0', 50),
  'an interim answer on an idle connection': late('HTTP/1.1 103 Early Hints\r\nLink: </poison>\r\n\r\n', 50),
  'a request to close on an idle connection': late('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n', 50),
}

/** The next people, in turn and at one time, get their own answers. */
async function everybodyGetsTheirOwn(t: Pick<typeof import('tap').default, 'same'>, { gateway }: App, title: string) {
  for (const protocol of protocols) {
    const paths = ['/a', '/b', '/c']
    const [first = '', ...rest] = paths
    const answers = [
      await gateway.ask(first, { protocol }),
      ...(await Promise.all(rest.map(path => gateway.ask(path, { protocol })))),
    ]
    t.same(
      answers.map(({ status, text, cookies }) => [status, text, cookies]),
      paths.map(path => [200, path, []]),
      `${title}, over ${protocol}`,
    )
  }
}

t.test('H11: what an upstream sends behind an answer reaches nobody (CVE-2026-48931)', async t => {
  let odd: Answer = reply()
  const respond: Respond = ({ target }) => (target === '/odd' ? odd : reply({ body: target }))
  const app = await startApp(t, respond, { settings: 'connections: 1' })
  for (const [title, answer] of Object.entries(misbehaving)) {
    odd = answer
    // While a request is on its way nobody can tell a stray answer from its own: those come on an idle connection.
    for (const wait of title.endsWith('idle connection') ? [150] : [0, 150]) {
      const { text } = await app.gateway.ask('/odd')
      t.match(text, /^(\/odd|)$/, title)
      await pause(wait)
      await everybodyGetsTheirOwn(t, app, `${title}, ${wait} ms later`)
    }
  }
  await stillAnswers(t, app.gateway)
})

t.test('H11: an answer to HEAD has no body, whatever the upstream sends behind it', async t => {
  const app = await startApp(
    t,
    ({ method, target }) => (method === 'HEAD' ? line => line.write(poison) : reply({ body: target })),
    { settings: 'connections: 1' },
  )
  for (const protocol of protocols) {
    t.match(await app.gateway.ask('/odd', { protocol, method: 'HEAD' }), { status: 200, text: '' })
    await everybodyGetsTheirOwn(t, app, 'a HEAD with a body')
  }
})

t.test(
  'H11: an answer before the end of the request leaves no body behind for the next one (CVE-2025-4366)',
  async t => {
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'
    const app = await startApp(t, ({ target }) => reply({ body: target }), {
      settings: 'connections: 1',
      answerAt: 'head',
    })
    const { gateway, upstream } = app
    for (const rest of ['sent', 'kept'] as const) {
      using line = await openRaw(gateway)
      const length = 1_000 + smuggled.length
      await line.write(`${head(gateway, 'POST /early HTTP/1.1', [`Content-Length: ${length}`])}${'x'.repeat(500)}`)
      t.same(statuses((await line.read({ until: '/early' })).text), [200])
      if (rest === 'sent') await line.write('x'.repeat(500) + smuggled).catch(() => undefined)
      await everybodyGetsTheirOwn(t, app, `an early answer, the rest ${rest}`)
    }
    t.notOk(upstream.received.some(({ target }) => target === '/smuggled'))
    t.same(upstream.malformed, [])
  },
)

t.test('H11: interim answers are few, or there is no answer', async t => {
  const hint = `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n`
  const endless: Answer = async line => {
    for (;;) {
      await line.write(hint.repeat(100))
      await pause(5)
    }
  }
  const few: Answer = async line => {
    await line.write(hint.repeat(10))
    await reply({ body: '/few' })(line)
  }
  const app = await startApp(t, ({ target }) =>
    target === '/endless' ? endless : target === '/few' ? few : reply({ body: target }),
  )
  for (const protocol of protocols) {
    t.match(await app.gateway.ask('/few', { protocol }), { status: 200, text: '/few' })
    const asked = app.gateway.ask('/endless', { protocol }).then(({ status }) => status)
    t.equal(await Promise.race([asked, pause(3_000, 'no end of it', { ref: false })]), 502)
    await everybodyGetsTheirOwn(t, app, 'interim answers without end')
    t.ok(await within(1_000, () => app.upstream.openConnections <= 3), 'that connection is closed')
  }
})
