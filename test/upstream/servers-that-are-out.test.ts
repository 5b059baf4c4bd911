// Which of several servers is out: no client puts one out for the others, and what hangs there keeps nobody waiting.
import { once } from 'node:events'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import t from 'tap'
import { within } from '../behaviour/app.ts'
import { type Respond, startUpstream } from '../fixture/upstream.ts'
import { hang, json, raw, resetBeforeHead as reset } from '../fixture/upstream-answers.ts'
import { asking, faultOf, from, isAsked, openSeveral, say } from './opened.ts'

t.test('a request that breaks off puts out no server that answers others, and one that answers nobody', async t => {
  const touchy: Respond = ({ target }) => (target === '/boom' ? reset : json({ from: 'touchy' }))
  const garbled: Respond = ({ target }) => (target === '/boom' ? raw('no answer\r\n\r\n') : json({ from: 'touchy' }))
  for (const respond of [touchy, garbled]) {
    const [one, two] = [await startUpstream(t, respond), await startUpstream(t, say('two'))]
    const { upstream, said } = openSeveral(t, [one.url, two.url], '', 'omero-web')
    const affinity = { server: '1', person: undefined }
    const body = () => Readable.from(['x'], { objectMode: false })
    for (const method of ['POST', 'GET', 'POST']) {
      const more = { target: '/boom', method, body: method === 'POST' ? body() : undefined }
      await faultOf(upstream.send(asking({ client: 'stranger', affinity, ...more })))
      t.equal(await from(upstream, { affinity }), 'touchy', 'whoever has a session there keeps it')
    }
    t.ok(await within(2_000, () => one.received.some(request => !isAsked(request))), 'it was asked')
    t.same(said, [])
    await from(upstream, { affinity })
  }
  const [dead, well] = [await startUpstream(t, () => reset), await startUpstream(t, say('well'))]
  const { upstream } = openSeveral(t, [dead.url, well.url])
  for (const _ of [1, 2]) t.equal(await from(upstream), 'well')
  t.ok(await within(2_000, () => upstream.servers[0]?.isOut === true))
})

t.test('what hangs at a server that is out takes no turn from the others', async t => {
  for (const kind of ['generic', 'omero-web']) {
    const well = await startUpstream(t, () => hang)
    const hung: Socket[] = []
    const lost = createTcpServer(socket => void hung.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1')
    await once(lost, 'listening')
    const { port } = lost.address() as AddressInfo // it listens on a port
    const { upstream } = openSeveral(t, [`http://127.0.0.1:${port}`, well.url], ', connections: 2', kind)
    const leaving = new Map<string, AbortController>()
    const ask = (name: string, server: string, method = 'DELETE') => {
      const controller = new AbortController()
      leaving.set(`/${name}`, controller)
      t.teardown(() => controller.abort())
      const more = { client: name, affinity: { server, person: undefined }, signal: controller.signal }
      void upstream.send(asking({ method, target: `/${name}`, ...more })).catch(() => undefined)
    }
    for (const [at, server] of ['1', '1', '2', '2'].entries()) ask(`first-${at}`, server)
    t.ok(await within(2_000, () => hung.length === 2 && well.received.length === 2), kind)
    for (const name of ['x', 'y']) ask(name, '1')
    // Its machine loses its power: who comes anew does not reach it, and nothing is heard of what runs there.
    lost.close()
    hung.pop()?.destroy()
    t.ok(await within(2_000, () => upstream.servers[0]?.isOut === true))
    const begun = well.received.map(({ target }) => target)
    for (const target of begun) if (/first/.test(target)) leaving.get(target)?.abort()
    const others = () => well.received.filter(request => isAsked(request)).length
    t.ok(await within(2_000, () => others() === 4), 'who waits has all its connections')
  }
})

t.test('what may be repeated does not wait for a server that has gone', async t => {
  const well = await startUpstream(t, say('well'))
  const hung: Socket[] = []
  const lost = createTcpServer(socket => void hung.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1')
  await once(lost, 'listening')
  const { port } = lost.address() as AddressInfo // it listens on a port
  const { upstream } = openSeveral(t, [well.url, `http://127.0.0.1:${port}`], '', 'omero-web')
  const leaving = new AbortController()
  const there = { affinity: { server: '2', person: undefined }, signal: leaving.signal }
  t.teardown(() => leaving.abort())
  let read: unknown
  void from(upstream, there).then(by => {
    read = by
  })
  let isChanged: unknown
  upstream.send(asking({ method: 'DELETE', ...there })).catch(cause => {
    isChanged = cause
  })
  t.ok(await within(2_000, () => hung.length === 2))
  const turn = await upstream.enter('someone', leaving.signal, there.affinity)
  t.ok(turn.unreached(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })))
  turn.leave()
  t.ok(await within(3_000, () => read === 'well'), 'it is asked of the other one')
  t.equal(isChanged, undefined, 'what may not be repeated may still be answered')
  lost.close()
})
