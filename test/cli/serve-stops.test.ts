// A gateway that is told to stop lets what runs finish, takes nothing new, and ends with 0; its sessions are there afterwards.
import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { askSite, makeSite, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { type Answer, json, trickle } from '../fixture/upstream-answers.ts'
import { signIn, textOf } from './signed-in.ts'

// Each of these mostly waits.
t.jobs = 3

async function start(t: Test, drain: string, answer: Answer = json({ all: 'well' }), access = 'everyone') {
  const upstream = await startUpstream(t, () => answer)
  const site = await makeSite(t, {
    accounts: { alice: { password: 'alice-password' } },
    yaml: `
drain: ${drain}
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: ${access} }]`,
  })
  return { upstream, site, served: await serveSite(t, site) }
}

const refusesConnections = async (port: number) => {
  const socket = connect(port, '127.0.0.1')
  const [error] = await once(socket, 'error').catch(thrown => [thrown])
  return error.code
}

t.test('a download that is under way finishes within the time, while new connections are refused', async t => {
  const { site, served } = await start(t, '10 s', trickle('0123456789', 200))
  const answer = await askSite(site, served, '/download')
  served.signal('SIGTERM')
  await served.shows(/"msg":"stopping/)
  t.equal(await refusesConnections(served.port), 'ECONNREFUSED')
  t.equal(await textOf(answer), '0123456789', 'every byte')
  const began = Date.now()
  const { exitCode, signal } = await served.ended
  t.same([exitCode, signal], [0, null])
  t.ok(Date.now() - began < 2_000, 'and it does not wait for more')
})

t.test('a download that takes longer is cut when the time is up', async t => {
  const { site, served } = await start(t, '1 s', trickle('0123456789'.repeat(10), 200))
  const answer = await askSite(site, served, '/download')
  const began = Date.now()
  served.signal('SIGTERM')
  await t.rejects(textOf(answer), 'the client learns that it is not whole')
  t.equal((await served.ended).exitCode, 0)
  const took = Date.now() - began
  t.ok(took > 900 && took < 4_000, `${took} ms`)
})

t.test('connections on which nothing runs hold up nothing', async t => {
  const { served } = await start(t, '20 s')
  const silent = connect(served.port, '127.0.0.1').on('error', () => undefined)
  t.teardown(() => silent.destroy())
  await once(silent, 'connect')
  const began = Date.now()
  served.signal('SIGINT')
  t.equal((await served.ended).exitCode, 0)
  t.ok(Date.now() - began < 3_000, `${Date.now() - began} ms`)
})

t.test('whoever asks a second time does not want to wait', async t => {
  const { site, served } = await start(t, '20 s', trickle('0123456789'.repeat(10), 500))
  const answer = await askSite(site, served, '/download')
  answer.on('error', () => undefined).resume()
  served.signal('SIGTERM')
  await served.shows(/"msg":"stopping/)
  const began = Date.now()
  served.signal('SIGTERM')
  t.equal((await served.ended).exitCode, 1)
  t.ok(Date.now() - began < 2_000)
})

t.test('a session outlives a restart, and a crash', async t => {
  const { site, served } = await start(t, '5 s', undefined, 'authenticated')
  const cookie = await signIn(site, served, 'alice', 'alice-password')
  t.equal((await askSite(site, served, '/x', { headers: { cookie } })).statusCode, 200)
  served.signal('SIGTERM')
  t.equal((await served.ended).exitCode, 0)

  const again = await serveSite(t, site)
  t.equal((await askSite(site, again, '/x', { headers: { cookie } })).statusCode, 200, 'the same cookie')
  t.equal((await askSite(site, again, '/x')).statusCode, 401)
  again.signal('SIGKILL')
  await again.ended

  const third = await serveSite(t, site)
  t.equal((await askSite(site, third, '/x', { headers: { cookie } })).statusCode, 200, 'even after a crash')
  third.signal('SIGHUP')
  await third.shows(/the configuration was read again, and is at work/)
  t.equal((await askSite(site, third, '/x', { headers: { cookie } })).statusCode, 200, 'SIGHUP ends nothing')
})
