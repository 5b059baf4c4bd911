// curl comes in by name and password: a directory account, a local account, and what happens when neither can be asked.
import t, { type Test } from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { curl, curlTools } from '../fixture/curl.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { requireReal } from '../fixture/real.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { startUpstream } from '../fixture/upstream.ts'

const tools = [...curlTools, ...slapdTools]

async function start(t: Test) {
  const authority = await startAuthority(t)
  const { certPem, keyPem } = await authority.server(['localhost'], ['127.0.0.1'])
  const slapd = await startSlapd(t, { tls: { cert: certPem, key: keyPem, ca: authority.caPem } })
  const upstream = await startUpstream(t)
  const gateway = await startTestGateway(t, {
    authority,
    accounts: { keeper: { password: 'keeper of the keys', groups: ['pacs-admins'] } },
    files: { reader: slapd.reader.password },
    yaml: `
realms:
  basic: true
  local: { file: state-users.yaml }
  directory:
    enabled: true
    urls: [${slapd.ldapsUrl}]
    tls: { ca: ${authority.caFile} }
    username: ${slapd.reader.dn}
    password: { file: reader }
    base: ${slapd.base}
    userMapping: omeName=uid
    newUserGroup: ":query:(member=@{dn})"
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /app, upstream: app, access: [{ groups: [radiology, pacs-admins], may: read }] }]`,
  })
  const ask = (user: string, ...args: string[]) =>
    curl(['--cacert', authority.caFile, '--user', user, ...args, `${gateway.url}/app/x`])
  return { slapd, upstream, gateway, ask }
}

t.test('a directory account and a local account come in, over HTTP/1.1 and HTTP/2', async t => {
  if (!requireReal(t, tools)) return
  const { upstream, ask } = await start(t)
  for (const flag of ['--http1.1', '--http2']) {
    t.equal((await ask('alice:alice pass-word', flag)).status, 200, `alice ${flag}`)
    t.equal((await ask('keeper:keeper of the keys', flag)).status, 200, `keeper ${flag}`)
  }
  const told = upstream.received.map(request => [request.header('x-remote-user'), request.header('x-remote-groups')])
  t.same(told.slice(0, 2), [
    ['alice', 'radiology'],
    ['keeper', 'pacs-admins'],
  ])
  t.ok(
    upstream.received.every(request => request.header('authorization') === undefined),
    'no password goes on',
  )
})

t.test('a wrong password, an empty one and an unknown name are all the same 401', async t => {
  if (!requireReal(t, tools)) return
  const { slapd, upstream, ask } = await start(t)
  const answers = [await ask('alice:wrong'), await ask('alice:'), await ask('nobody:wrong'), await ask('keeper:wrong')]
  for (const answer of answers) {
    t.equal(answer.status, 401)
    t.match(answer.headers['www-authenticate'], /^Basic /)
  }
  const bodies = answers.map(({ text }) => ({ ...JSON.parse(text), requestId: '' }))
  t.same(bodies.slice(1), Array(3).fill(bodies[0]), 'and do not tell who is known')
  t.equal(upstream.received.length, 0)
  t.notOk(slapd.operations().bindDns.includes(''), 'no anonymous bind was tried')
})

t.test('someone in no group is told that nothing is open to them', async t => {
  if (!requireReal(t, tools)) return
  const { upstream, ask } = await start(t)
  const answer = await ask('carol:carol pass-word')
  t.ok([401, 403].includes(answer.status), `${answer.status}`)
  t.equal(upstream.received.length, 0)
})

t.test('a directory that is down is 503 and never 401, and local accounts still get in', async t => {
  if (!requireReal(t, tools)) return
  const { slapd, gateway, ask } = await start(t)
  await slapd.stop()
  const down = await ask('alice:alice pass-word')
  t.equal(down.status, 503)
  t.match(JSON.parse(down.text), { reason: 'directory-unavailable' })
  t.match(down.headers['retry-after'], /^\d+$/)
  t.equal(down.headers['www-authenticate'], undefined, 'nobody is asked for another password')
  t.equal((await ask('keeper:keeper of the keys')).status, 200)
  t.notMatch(JSON.stringify([gateway.log(), gateway.audit()]), /pass-word|keeper of the keys/, 'no password is logged')

  await slapd.start()
  t.equal((await ask('alice:alice pass-word')).status, 200, 'and it recovers by itself')
})
