// Frames come from memory once somebody has asked for them; the upstream sees one request. What may have changed does not.
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { openLocalAccounts } from '../../src/identity/local-accounts.ts'
import { systemClock } from '../../src/kernel/clock.ts'
import type { Received } from '../fixture/received.ts'
import { type Answer, hang, reply, resetMidBody } from '../fixture/upstream-answers.ts'
import { endingOf, protocols, startApp, within } from './app.ts'

const instance = '/dicom-web/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.5'
const octets = [['Content-Type', 'multipart/related; type="application/octet-stream"; boundary=b']] as const
/** Each answer has bytes of its own, so that one can tell which of them came. */
const counted = () => {
  let number = 0
  return ({ target }: Received): Answer =>
    reply({ headers: octets, body: `--b\r\n\r\n${target} number ${++number}\r\n--b--\r\n` })
}
const settings = 'cache: { memory: 4 MB, maxAge: 1 h }'
const orthanc = { kind: 'orthanc', settings } as const

t.test('the second viewer gets the frame from memory, over both protocols, and the log says so', async t => {
  const { gateway, upstream } = await startApp(t, counted(), orthanc)
  const first = await gateway.ask(`${instance}/frames/1`)
  for (const protocol of protocols) {
    const again = await gateway.ask(`${instance}/frames/1`, { protocol })
    t.ok(again.bytes.equals(first.bytes))
    t.equal(again.headers['content-length'], String(first.bytes.length))
    t.equal(again.headers['content-type'], octets[0][1])
    t.not(again.headers['x-request-id'], first.headers['x-request-id'])
    const head = await gateway.ask(`${instance}/frames/1`, { protocol, method: 'HEAD' })
    t.same([head.status, head.bytes.length, head.headers['content-length']], [200, 0, String(first.bytes.length)])
  }
  t.equal(upstream.received.length, 1)
  await gateway.ask(`${instance}/metadata`)
  const how = () => gateway.log().flatMap(line => line['cache'] ?? [])
  t.ok(await within(10_000, () => how().length === 6))
  t.same(how(), ['miss', 'hit', 'hit', 'hit', 'hit', 'past'])
})

t.test('the cookies of a viewer, and what browsers send by themselves, keep no frame from memory', async t => {
  const headers = {
    'user-agent': 'a browser',
    'sec-ch-ua': '"a browser"',
    'sec-fetch-site': 'same-origin',
    'accept-language': 'de',
    priority: 'u=1, i',
    pragma: 'x',
    cookie: 'i18next=en-US',
  }
  for (const [kind, cookie] of [
    ['generic', 'i18next=en-US'],
    ['orthanc', 'i18next=de; csrftoken=of-omero'],
  ] as const) {
    const { gateway, upstream } = await startApp(t, counted(), { kind, settings })
    await gateway.ask(`${instance}/frames/1`, { headers })
    const plain = await gateway.ask(`${instance}/frames/1`)
    t.equal((await gateway.ask(`${instance}/frames/1`, { headers: { ...headers, cookie } })).text, plain.text, kind)
    t.equal(upstream.received.length, 1)
    t.equal(upstream.received[0]?.header('cookie'), undefined)
  }
})

t.test('who is not let through is not, however often others have had the frame', async t => {
  const accounts = { alice: { password: 'correct horse', groups: ['radiology'] }, bob: { password: 'battery staple' } }
  const yaml = 'routes: [{ path: /, upstream: app, access: [{ groups: [radiology], may: read }] }]'
  const { gateway, upstream } = await startApp(t, counted(), { ...orthanc, accounts, yaml })
  const frame = `${instance}/frames/1`
  t.equal((await gateway.ask(frame, { basic: 'alice:correct horse' })).status, 200)
  const hit = await gateway.ask(frame, { basic: 'alice:correct horse' })
  t.equal(hit.headers['cache-control'], 'private, no-store', 'browsers keep nothing')
  t.equal((await gateway.ask(frame, { basic: 'bob:battery staple' })).status, 403)
  t.equal((await gateway.ask(frame)).status, 401)
  t.equal((await gateway.ask(frame, { method: 'DELETE', basic: 'alice:correct horse' })).status, 403)
  t.equal((await gateway.ask(frame, { basic: 'alice:correct horse' })).status, 200)
  await openLocalAccounts({ file: `${gateway.dir}/state-users.yaml`, clock: systemClock }).setLocked('alice', true)
  let status = 0
  for (let tries = 0; tries < 50 && status !== 401; tries++) {
    await pause(100) // what another program has written is seen within a second
    status = (await gateway.ask(frame, { basic: 'alice:correct horse' })).status
  }
  t.equal(status, 401, 'locked')
  t.equal(upstream.received.length, 1)
  t.equal(upstream.received[0]?.header('x-remote-user'), undefined, 'asked for in nobody’s name')
})

t.test('fifty who ask at once cost one request, and whoever leaves leaves the others nothing less', async t => {
  const { gateway, upstream } = await startApp(
    t,
    async request => {
      await pause(300)
      return counted()(request)
    },
    orthanc,
  )
  const asked = Array.from({ length: 50 }, async (_, index) => {
    const answer = gateway.ask(`${instance}/frames/1`, { protocol: index % 2 === 0 ? 'HTTP/1.1' : 'HTTP/2' })
    return (await answer).text
  })
  const leaving = Array.from({ length: 20 }, () =>
    gateway.open(`${instance}/frames/1`).then(answer => answer.destroy()),
  )
  t.equal(new Set(await Promise.all(asked)).size, 1)
  await Promise.all(leaving)
  t.equal(upstream.received.length, 1)
})

t.test('the upstream is left when all who asked have left, and not before', async t => {
  let hangs = true
  const answer = counted()
  const { gateway, upstream } = await startApp(t, request => (hangs ? hang : answer(request)), orthanc)
  const frame = `${instance}/frames/1`
  const sessions = [1, 2].map(() => connectHttp2(gateway.url, { ca: gateway.authority.caPem }))
  for (const session of sessions) session.request({ ':path': frame }).on('error', () => undefined)
  t.ok(await within(10_000, () => upstream.received.length === 1))
  // The first has left: whoever asked with it still waits.
  sessions[0]?.destroy()
  t.ok(await within(10_000, () => gateway.log().some(line => line['ending'] === 'client-gone')))
  t.same([upstream.received.length, upstream.openConnections], [1, 1])
  sessions[1]?.destroy()
  t.ok(await within(10_000, () => upstream.openConnections === 0))
  hangs = false
  t.match((await gateway.ask(frame)).text, 'number 1')
})

t.test('a change through the gate is seen by the next who asks', async t => {
  const { gateway, upstream } = await startApp(t, counted(), orthanc)
  const other = instance.replace('1.2.3', '9.9.9')
  const preview = '/instances/7783e040-93d8616d-5eb4ba35-1554ad64-9371267c/preview'
  const frames = [`${instance}/frames/1`, `${other}/frames/1`, preview]
  const kept = async (method: string, path: string) => {
    const before = await Promise.all(frames.map(async frame => (await gateway.ask(frame)).text))
    await gateway.ask(path, { method, ...(method === 'POST' ? { body: '{}' } : {}) })
    const after = await Promise.all(frames.map(async frame => (await gateway.ask(frame)).text))
    return after.map((text, index) => text === before[index])
  }
  for (const [method, path, expected] of [
    ['DELETE', '/dicom-web/studies/1.2.3', [false, true, false]],
    ['POST', '/dicom-web/studies/1.2.3', [false, true, false]],
    ['DELETE', `${instance}`, [false, true, false]],
    ['POST', '/dicom-web/studies', [false, false, false]],
    ['POST', '/instances', [false, false, false]],
    ['DELETE', '/studies/7783e040-93d8616d-5eb4ba35-1554ad64-9371267c', [false, false, false]],
    ['PUT', '/instances/7783e040-93d8616d-5eb4ba35-1554ad64-9371267c/metadata/1024', [false, false, false]],
    ['POST', '/tools/find', [true, true, true]],
    ['GET', '/dicom-web/studies', [true, true, true]],
  ] as const)
    t.same(await kept(method, path), expected, `${method} ${path}`)
  t.equal(upstream.malformed.length, 0)
})

t.test(
  'what is asked for while a change runs is not kept, and neither is anything after one that broke off',
  async t => {
    let release: () => void = () => undefined
    const held = new Promise<void>(resolve => {
      release = resolve
    })
    const [slow, later] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const answer = counted()
    const { gateway, upstream } = await startApp(
      t,
      async request => {
        if (request.method === 'DELETE' && request.target.endsWith('1.2.3')) await held
        if (request.target.endsWith('?slow')) await slow.promise
        if (request.target.endsWith('?later')) await later.promise
        return request.target.endsWith('broken') ? line => line.reset() : answer(request)
      },
      orthanc,
    )
    const frame = `${instance}/frames/1`
    const deleted = gateway.ask('/dicom-web/studies/1.2.3', { method: 'DELETE' })
    t.ok(await within(10_000, () => upstream.received.length === 1))
    const meanwhile = await gateway.ask(frame)
    release()
    await deleted
    const after = await gateway.ask(frame)
    t.not(after.text, meanwhile.text)
    t.equal((await gateway.ask(frame)).text, after.text)

    const [early, asked] = [gateway.ask(`${frame}?slow`), upstream.received.length]
    t.ok(await within(10_000, () => upstream.received.length === asked + 1))
    await gateway.ask('/dicom-web/studies/1.2.3/series/1.2.3.4', { method: 'DELETE' })
    const late = gateway.ask(`${frame}?slow`)
    t.ok(
      await within(10_000, () => upstream.received.length === asked + 3),
      'who asks behind it does not get what was on its way',
    )
    slow.resolve()
    t.not((await late).text, (await early).text)

    const [again, then] = [gateway.ask(`${frame}?later`), upstream.received.length]
    t.ok(await within(10_000, () => upstream.received.length === then + 1))
    await gateway.ask('/dicom-web/studies/1.2.3', { method: 'DELETE' })
    later.resolve()
    const before = await again
    t.not((await gateway.ask(`${frame}?later`)).text, before.text, 'nor is that kept')

    t.equal((await gateway.ask('/studies/broken', { method: 'DELETE' })).status, 502)
    const unsure = await gateway.ask(frame)
    t.not((await gateway.ask(frame)).text, unsure.text, 'the change may still go on')
  },
)

t.test('after maxAge it is asked for again, and also when a client insists', async t => {
  let time = Date.now()
  const { gateway } = await startApp(t, counted(), { ...orthanc, clock: { now: () => time } })
  const text = async (headers = {}) => (await gateway.ask(`${instance}/frames/1`, { headers })).text
  const first = await text()
  time += 3_599_000
  t.equal(await text(), first)
  time += 1_000
  const second = await text()
  t.not(second, first)
  time -= 2 * 3_600_000
  const third = await text()
  t.not(third, second, 'a clock that is set back lengthens nothing')
  const fourth = await text({ 'cache-control': 'no-cache' })
  t.not(fourth, third)
  t.equal(await text(), fourth)
})

t.test('an upstream that breaks off is a 502 for each who waits, and nothing of it is kept', async t => {
  let breaks = true
  const answer = counted()
  const { gateway, upstream } = await startApp(
    t,
    request => (breaks ? resetMidBody('half of it', 1_000, octets) : answer(request)),
    orthanc,
  )
  const frame = `${instance}/frames/1`
  const all = await Promise.all(
    Array.from({ length: 10 }, (_, index) => endingOf({ gateway }, frame, protocols[index % 2] ?? 'HTTP/2')),
  )
  t.same([...new Set(all.map(({ status }) => status))], [502])
  t.ok(
    all.every(({ ending }) => ending === 'whole'),
    'an honest answer, since none had begun',
  )
  breaks = false
  const whole = await gateway.ask(frame)
  t.match(whole.text, /number 1\r\n--b--/)
  const asked = upstream.received.length
  t.equal((await gateway.ask(frame)).text, whole.text)
  t.equal(upstream.received.length, asked)
})

t.test(
  'memory is bounded, the frame that was asked for last stays, and one that is too large is passed on whole',
  async t => {
    const body = Buffer.alloc(100_000, 'x')
    const large = Buffer.alloc(1_000_000, 'y')
    const answer = ({ target }: Received) =>
      reply({
        headers: octets,
        body: target.includes('large') ? large : body,
        ...(target.includes('chunked') ? { chunk: 30_000 } : {}),
      })
    const { gateway, upstream } = await startApp(t, answer, { kind: 'orthanc', settings: 'cache: { memory: 1 MB }' })
    const ask = (number: number, more = '') => gateway.ask(`${instance}/frames/${number}${more}`)
    for (let number = 1; number <= 20; number++) {
      t.equal((await ask(number, number % 2 === 0 ? '?chunked' : '')).bytes.length, body.length)
      if (number % 4 === 0) await ask(1)
    }
    t.equal(upstream.received.length, 20)
    await ask(18, '?chunked')
    t.equal(upstream.received.length, 20, 'still there')
    await ask(4, '?chunked')
    t.equal(upstream.received.length, 21, 'put out')
    for (const how of ['?large', '?large&chunked'])
      for (let times = 0; times < 2; times++) t.ok((await ask(1, how)).bytes.equals(large), how)
    t.equal(upstream.received.length, 25)
  },
)

t.test('who has a frame already is told that it is unchanged, after a permit of their own', async t => {
  const accounts = { alice: { password: 'correct horse' } }
  const yaml = 'routes: [{ path: /, upstream: app, access: authenticated }]'
  for (const [browsers, caching] of [
    ['never', 'private, no-store'],
    ['revalidate', 'private, no-cache'],
  ] as const) {
    const { gateway, upstream } = await startApp(t, counted(), {
      ...{ accounts, yaml, kind: 'orthanc' },
      settings: `cache: { memory: 4 MB, browsers: ${browsers} }`,
    })
    const frame = `${instance}/frames/1`
    const basic = 'alice:correct horse'
    const first = await gateway.ask(frame, { basic })
    t.equal(first.headers['cache-control'], caching)
    const etag = first.headers['etag'] ?? ''
    t.match(etag, /^"[A-Za-z0-9_-]{22}"$/)
    for (const protocol of protocols) {
      for (const method of ['GET', 'HEAD']) {
        for (const tags of [etag, `"x", W/${etag}`, '*']) {
          const same = await gateway.ask(frame, { protocol, method, basic, headers: { 'if-none-match': tags } })
          t.same([same.status, same.bytes.length, same.headers['content-type']], [304, 0, undefined], tags)
          t.same([same.headers['etag'], same.headers['cache-control']], [etag, caching])
        }
      }
      const other = await gateway.ask(frame, {
        protocol,
        basic,
        headers: { 'if-none-match': etag.replace(/.$/, 'x"') },
      })
      t.ok(other.bytes.equals(first.bytes))
      const nobody = await gateway.ask(frame, { protocol, headers: { 'if-none-match': etag } })
      t.same([nobody.status, nobody.headers['etag']], [401, undefined])
    }
    t.equal(upstream.received.length, 1)
    await gateway.ask('/dicom-web/studies/1.2.3', { method: 'DELETE', basic })
    const changed = await gateway.ask(frame, { basic, headers: { 'if-none-match': etag } })
    t.equal(changed.status, 200)
    t.not(changed.headers['etag'], etag)
  }
})

t.test('nobody stands in the queue of somebody who has filled it', async t => {
  const accounts = { alice: { password: 'correct horse' }, mallory: { password: 'battery staple' } }
  const yaml = 'routes: [{ path: /, upstream: app, access: authenticated }]'
  let release: () => void = () => undefined
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  const answer = counted()
  const { gateway, upstream } = await startApp(
    t,
    async request => {
      if (request.target.includes('held')) await held
      return answer(request)
    },
    { kind: 'orthanc', settings: 'connections: 16, cache: { memory: 4 MB }', accounts, yaml },
  )
  const by = { mallory: { basic: 'mallory:battery staple' }, alice: { basic: 'alice:correct horse' } }
  const stuck = Array.from({ length: 20 }, (_, index) => gateway.ask(`/held/${index}`, by.mallory))
  t.ok(await within(10_000, () => upstream.received.length === 14))
  const behind = gateway.ask(`${instance}/frames/1`, by.mallory)
  await pause(100)
  t.equal(upstream.received.length, 14, 'waits behind the others of mallory')
  const mine = await gateway.ask(`${instance}/frames/1`, by.alice)
  t.equal(mine.status, 200)
  t.equal((await behind).text, mine.text, 'and is served with hers')
  release()
  await Promise.all(stuck)
  t.equal(upstream.received.filter(({ target }) => target.includes('frames')).length, 1)
})

t.test('slow readers hold no more memory than the cache has, and others are served past it', async t => {
  const body = Buffer.alloc(500_000, 'x')
  const { gateway, upstream } = await startApp(t, () => reply({ headers: octets, body }), {
    kind: 'orthanc',
    settings: 'cache: { memory: 4 MB }',
  })
  const frame = (number: number) => `${instance}/frames/${number}`
  // Nothing is read, so no more than 64 kB of all of them may be sent.
  const session = connectHttp2(gateway.url, { ca: gateway.authority.caPem })
  for (let number = 0; number < 8; number++) session.request({ ':path': frame(number) }).on('error', () => undefined)
  t.ok(await within(10_000, () => upstream.received.length === 8))
  const asked = upstream.received.length
  for (let times = 0; times < 2; times++) t.ok((await gateway.ask(frame(100))).bytes.equals(body))
  t.equal(upstream.received.length, asked + 2, 'no room: not kept')
  t.ok((await gateway.ask(frame(1))).bytes.equals(body), 'what is there is given to others too')
  t.equal(upstream.received.length, asked + 2)
  session.destroy()
  t.ok(await within(10_000, () => gateway.log().filter(line => line['ending'] === 'client-gone').length === 8))
  await gateway.ask(frame(100))
  await gateway.ask(frame(100))
  t.equal(upstream.received.length, asked + 3, 'and when they have gone there is room again')
})

t.test('what memory has no room for comes from the disk, until it is changed', async t => {
  const body = randomBytes(100_000)
  const { gateway, upstream } = await startApp(t, () => reply({ headers: octets, body }), {
    kind: 'orthanc',
    settings: 'cache: { memory: 1 MB, disk: 64 MB }',
  })
  const ask = (number: number) => gateway.ask(`${instance}/frames/${number}`)
  for (const turn of ['first', 'second']) {
    for (let number = 0; number < 16; number++) t.ok((await ask(number)).bytes.equals(body), turn)
    t.equal(upstream.received.length, 16, turn)
  }
  const together = await Promise.all([0, 1, 0, 1, 0, 1].map(ask))
  t.ok(together.every(({ bytes }) => bytes.equals(body)))
  t.equal(upstream.received.length, 16)
  t.same(
    readdirSync(`${gateway.dir}/state`).filter(name => name.includes('frames')),
    [],
  )
  await gateway.ask('/dicom-web/studies/1.2.3', { method: 'DELETE' })
  t.ok((await ask(3)).bytes.equals(body))
  t.equal(upstream.received.length, 18)
})
