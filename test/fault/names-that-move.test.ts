// F05: the name of an upstream that has no address, or whose name server fails or is silent, and one that moves to another
// address and back while the gateway runs. Nothing has to be touched for any of it to heal.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { textOf } from '../cli/signed-in.ts'
import { requireNameServer, startNameServer } from '../fixture/name-server.ts'
import { askSite, makeSite, serveSite } from '../fixture/site.ts'

/** Servers on one port, at 127.0.0.1 and 127.0.0.2; each says where it is. */
async function startTwo(t: Pick<Test, 'teardown'>) {
  const start = async (host: string, port: number): Promise<Server> => {
    const server = createServer((_, answer) => void answer.end(host)).listen(port, host)
    await once(server, 'listening')
    t.teardown(() => {
      server.closeAllConnections()
      server.close()
    })
    return server
  }
  const first = await start('127.0.0.1', 0)
  const { port } = first.address() as AddressInfo // a bound TCP server has one
  return { port, first, second: await start('127.0.0.2', port) }
}

t.test('names without an address, and one that moves', async t => {
  if (!requireNameServer(t)) return
  const { port, first, second } = await startTwo(t)
  const upstreams = ['moving', 'silent', 'steady'].map(
    name => `  ${name}: { kind: orthanc, url: "http://${name}.test:${port}", timeouts: { connect: 500 ms } }`,
  )
  const site = await makeSite(t, {
    yaml: `
upstreams:
${upstreams.join('\n')}
routes:
  - { path: /moving, upstream: moving, access: everyone }
  - { path: /silent, upstream: silent, access: everyone }
  - { path: /steady, upstream: steady, access: everyone }`,
  })
  const names = await startNameServer(t, site.dir)
  names.says('steady.test', '127.0.0.1')
  const served = await serveSite(t, site, { node: names.node })
  const ask = async (path: string) => {
    const answer = await askSite(site, served, path)
    const text = await textOf(answer)
    return answer.statusCode === 200 ? text : `${answer.statusCode} ${JSON.parse(text).reason}`
  }

  await t.test('no address is 502, and the next request after there is one is answered', async t => {
    for (const answer of ['NXDOMAIN', 'SERVFAIL'] as const) {
      names.says('moving.test', answer)
      t.equal(await ask('/moving'), '502 upstream-unreachable', answer)
    }
    names.says('moving.test', '127.0.0.1')
    t.equal(await ask('/moving'), '127.0.0.1')
  })

  await t.test('a silent server is 504 after `connect`, or 502, and keeps no other name waiting', async t => {
    names.says('silent.test', 'silence')
    const began = Date.now()
    const many = Array.from({ length: 50 }, () => ask('/silent'))
    t.equal(await ask('/steady'), '127.0.0.1', 'another name meanwhile')
    // Whose turn for a connection comes late hears that the resolver has given up.
    for (const answer of new Set(await Promise.all(many)))
      t.match(answer, /^50(4 upstream-timeout|2 upstream-unreachable)$/)
    const took = Date.now() - began
    t.ok(took < 4_000, `${took} ms`)
    t.ok(names.asked('silent.test') <= 4, `and is asked ${names.asked('silent.test')} times`)
    names.says('silent.test', '127.0.0.1')
    // What was asked in silence is given up after a second, as resolv.conf has it.
    let answer = ''
    while (answer !== '127.0.0.1' && Date.now() - began < 5_000) answer = await ask('/silent')
    t.equal(answer, '127.0.0.1', `it is heard ${Date.now() - began} ms after it fell silent`)
  })

  await t.test(
    'a name that moves is followed once its kept connection has ended, and at once when that is cut',
    async t => {
      names.says('moving.test', '127.0.0.2')
      await pause(1_000)
      t.equal(await ask('/moving'), '127.0.0.2', 'after the second that an idle connection is kept')
      t.equal(await ask('/moving'), '127.0.0.2')
      names.says('moving.test', '127.0.0.1')
      t.equal(await ask('/moving'), '127.0.0.2', 'a connection that is kept still goes to where it went')
      second.closeAllConnections()
      t.equal(await ask('/moving'), '127.0.0.1', 'and back')
    },
  )

  names.says('silent.test', 'silence')
  first.closeAllConnections()
  t.match(await ask('/silent'), /^50[24]/)
  served.signal('SIGTERM')
  const { exitCode, stderr } = await served.ended
  t.equal(exitCode, 0, 'a stop does not wait long for a name')
  t.notMatch(stderr, /bug|unhandled/i)
})
