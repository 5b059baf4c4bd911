// What an upstream does wrong is told by status and reason, and never with its address or the gateway's credentials.

import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { hang, reply } from '../fixture/upstream-answers.ts'
import { protocols, startApp } from './app.ts'

/** A port on which nobody listens. */
async function deadPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

for (const protocol of protocols) {
  t.test(`over ${protocol} each failure has its own status and reason, as JSON and as a page`, async t => {
    const silent = await startUpstream(t, () => hang)
    const hidden = await deadPort()
    const upstream = (name: string, url: string, more = '') =>
      `  ${name}: { kind: generic, url: "${url}", timeouts: { connect: 2 s, idle: 300 ms }${more} }`
    const secret = ', credentials: { username: gatekeeper, password: { file: hush } }'
    const refusing = await startUpstream(t, () =>
      reply({ status: 401, headers: [['WWW-Authenticate', 'Basic realm="Orthanc Secure Area"']], body: 'who are you' }),
    )
    const gateway = await startTestGateway(t, {
      files: { hush: 'a-secret-of-the-gateway' },
      yaml: `
upstreams:
${upstream('nobody-there', `http://127.0.0.1:${hidden}`, secret)}
${upstream('hanging', silent.url)}
${upstream('nameless', 'http://no-such-host.invalid:8042')}
${upstream('distrustful', refusing.url, secret)}
${upstream('untrusted', `https://127.0.0.1:${(await startTls(t)).port}`)}
routes:
${['nobody-there', 'hanging', 'nameless', 'distrustful', 'untrusted'].map(name => `  - { path: /${name}, upstream: ${name}, access: everyone }`).join('\n')}`,
    })
    const expected = [
      ['nobody-there', 502, 'upstream-unreachable'],
      ['hanging', 504, 'upstream-timeout'],
      ['nameless', 502, 'upstream-unreachable'],
      ['distrustful', 502, 'upstream-broken'],
      ['untrusted', 502, 'upstream-untrusted'],
    ] as const
    const forbidden = new RegExp(
      [
        `127\\.0\\.0\\.1`,
        hidden,
        silent.port,
        refusing.port,
        'no-such-host',
        'gatekeeper',
        'a-secret',
        'Secure Area',
        'ECONN',
        'ENOTFOUND',
      ].join('|'),
    )
    for (const [name, status, reason] of expected) {
      const program = await gateway.ask(`/${name}/x`, { protocol })
      t.match(program, { status, headers: { 'content-type': 'application/problem+json' } }, name)
      t.match(JSON.parse(program.text), { status, reason, upstream: name, requestId: program.headers['x-request-id'] })
      const person = await gateway.ask(`/${name}/x`, {
        protocol,
        headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate' },
      })
      t.match(person, { status, headers: { 'content-type': /^text\/html/ } }, name)
      t.match(person.text, name, 'the page names the upstream')
      for (const { text, headers } of [program, person]) {
        t.notMatch(
          `${text.replaceAll(`localhost:${gateway.port}`, '')}${JSON.stringify({ ...headers, date: '' })}`,
          forbidden,
          name,
        )
        t.equal(headers['www-authenticate'], undefined)
      }
      const line = gateway
        .log()
        .find(({ id, message }) => id === program.headers['x-request-id'] && message === 'fault')
      t.match(line, { fault: reason, upstream: name }, 'the log has the cause')
    }
    t.notMatch(JSON.stringify([gateway.log(), gateway.audit()]), /a-secret-of/, 'and no secret')
  })
}

async function startTls(t: Parameters<typeof startUpstream>[0]) {
  const { startAuthority } = await import('../fixture/authority.ts')
  const { certPem, keyPem } = await (await startAuthority(t)).server(['localhost'], ['127.0.0.1'])
  return await startUpstream(t, undefined, { tls: { cert: certPem, key: keyPem } })
}

t.test('an upstream that recovers is used again without a restart', async t => {
  const port = await deadPort()
  const gateway = await startTestGateway(t, {
    yaml: `
upstreams: { app: { kind: generic, url: "http://127.0.0.1:${port}" } }
routes: [{ path: /, upstream: app, access: everyone }]`,
  })
  t.equal((await gateway.ask('/x')).status, 502)
  const server = createServer(socket => {
    socket.on('error', () => undefined).once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup'))
  }).listen(port, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  t.match(await gateway.ask('/x'), { status: 200, text: 'up' })
})

t.test("an application's own 401 is passed on, without a challenge to a password that would be ours", async t => {
  const respond = () =>
    reply({ status: 401, headers: [['WWW-Authenticate', 'Basic realm="app"']], body: 'sign in here' })
  const { gateway } = await startApp(t, respond)
  const answer = await gateway.ask('/x')
  t.match(answer, { status: 401, text: 'sign in here' })
  t.equal(answer.headers['www-authenticate'], undefined)
  const passing = await startApp(t, respond, { settings: 'authorization: pass' })
  t.equal(
    (await passing.gateway.ask('/x')).headers['www-authenticate'],
    'Basic realm="app"',
    'unless the route hands passwords on',
  )
})

t.test('a GET whose idle connection the upstream closed is sent once more, and a POST never', async t => {
  const sent: string[] = []
  const { gateway } = await startApp(t, request => {
    sent.push(request.method)
    const retried = sent.filter(method => method === request.method).length > 1
    return retried ? reply({ body: 'the second time' }) : line => line.end()
  })
  t.match(await gateway.ask('/x'), { status: 200, text: 'the second time' })
  t.equal((await gateway.ask('/x', { method: 'POST', body: 'once' })).status, 502)
  t.same(sent, ['GET', 'GET', 'POST'])
})

t.test('an idle connection to an archive is given up before the archive itself drops it, after a second', async t => {
  const { gateway, upstream } = await startApp(t, undefined, { kind: 'orthanc' })
  const ask = async (wait: number) => {
    await pause(wait)
    await gateway.ask('/x', { method: 'POST', body: 'x' })
    return upstream.received.at(-1)?.connection
  }
  t.same([await ask(0), await ask(200), await ask(850), await ask(850)], [1, 1, 2, 3])
})
