// A request goes where its host and path say, and what comes back leads to the same place.
import t from 'tap'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { type Fields, json, reply } from '../fixture/upstream-answers.ts'

t.test('routes of the host come first, then the longest path, by whole segments', async t => {
  const names = ['root', 'app', 'deep', 'hosted', 'hosted-api'] as const
  const upstreams = await Promise.all(
    names.map(async name => [name, await startUpstream(t, ({ target }) => json([name, target]))] as const),
  )
  const gateway = await startTestGateway(t, {
    yaml: `
upstreams:
${upstreams.map(([name, { url }]) => `  ${name}: { kind: generic, url: "${url}" }`).join('\n')}
routes:
  - { path: /, upstream: root, access: everyone }
  - { path: /app, upstream: app, access: everyone }
  - { path: /app/deep/er, upstream: deep, strip: true, access: everyone }
  - { host: omero.example.org, path: /, upstream: hosted, access: everyone }
  - { host: omero.example.org, path: /api, upstream: hosted-api, access: everyone }`,
  })
  const cases: [host: string | undefined, path: string, upstream: string, target: string][] = [
    [undefined, '/', 'root', '/'],
    [undefined, '/apple', 'root', '/apple'],
    [undefined, '/app', 'app', '/app'],
    [undefined, '/app/', 'app', '/app/'],
    [undefined, '/app/deep/error', 'app', '/app/deep/error'],
    [undefined, '/app/deep/er/', 'deep', '/'],
    [undefined, '/app/deep/er/x%20y?q=%2F&q=1', 'deep', '/x%20y?q=%2F&q=1'],
    [undefined, '/%61pp/x', 'app', '/app/x'],
    ['omero.example.org', '/app/x', 'hosted', '/app/x'],
    ['OMERO.example.org:8443', '/api/x', 'hosted-api', '/api/x'],
    ['other.example.org', '/app/x', 'app', '/app/x'],
  ]
  for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
    for (const [host, path, upstream, target] of cases) {
      // Over HTTP/2 the host is :authority; the fixture always sends its own there.
      if (host !== undefined && protocol === 'HTTP/2') continue
      const answer = await gateway.ask(path, { protocol, ...(host === undefined ? {} : { headers: { host } }) })
      t.same(JSON.parse(answer.text), [upstream, target], `${protocol} ${host ?? ''}${path}`)
    }
    t.match(await gateway.ask('/app/deep/er', { protocol }), { status: 308, headers: { location: '/app/deep/er/' } })
    t.match(await gateway.ask('/app/deep/er?a=1', { protocol }), {
      status: 308,
      headers: { location: '/app/deep/er/?a=1' },
    })
  }
})

t.test('with a public address, other names get 421 and reach no upstream', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startTestGateway(t, {
    listener: 'publicUrl: https://imaging.example.org',
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes:
  - { path: /, upstream: app, access: everyone }
  - { host: omero.example.org, path: /, upstream: app, access: everyone }`,
  })
  const ask = (host: string) => gateway.ask('/x', { headers: { host } })
  t.equal((await ask('imaging.example.org')).status, 200)
  t.equal((await ask('imaging.example.org:443')).status, 200)
  t.equal((await ask('omero.example.org')).status, 200)
  const before = upstream.received.length
  for (const host of [
    `localhost:${gateway.port}`,
    'evil.example',
    'imaging.example.org.evil.example',
    'imaging.example.org:8443',
  ]) {
    t.equal((await ask(host)).status, 421, host)
  }
  t.equal(upstream.received.length, before)
})

async function rewriting(t: Parameters<typeof startUpstream>[0] & Parameters<typeof startTestGateway>[0]) {
  let headers: Fields = []
  const upstream = await startUpstream(t, () => reply({ status: 302, headers }))
  const gateway = await startTestGateway(t, {
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes:
  - { path: /, upstream: app, access: everyone }
  - { path: /pre/fix, upstream: app, strip: true, access: everyone }`,
  })
  const answer = (path: string, sent: Fields) => {
    headers = sent
    return gateway.ask(path)
  }
  return { upstream, gateway, answer }
}

t.test('a Location leads back through the gateway', async t => {
  const { upstream, gateway, answer } = await rewriting(t)
  const cases: [path: string, sent: string, seen: string][] = [
    ['/x', '/login?next=/x', '/login?next=/x'],
    ['/x', 'login', 'login'],
    ['/x', `${upstream.url}/login?a=1#b`, `${gateway.url}/login?a=1#b`],
    ['/x', `${gateway.url.replace('https', 'http')}/login`, `${gateway.url}/login`],
    ['/x', 'https://sso.example.org/login', 'https://sso.example.org/login'],
    ['/pre/fix/x', '/login', '/pre/fix/login'],
    ['/pre/fix/x', 'app/explorer.html', 'app/explorer.html'],
    ['/pre/fix/x', `${upstream.url}/`, `${gateway.url}/pre/fix/`],
    ['/pre/fix/x', 'https://sso.example.org/login', 'https://sso.example.org/login'],
  ]
  for (const [path, sent, seen] of cases) {
    const { headers } = await answer(path, [
      ['Location', sent],
      ['Content-Location', sent],
    ])
    t.equal(headers['location'], seen, `${path}: ${sent}`)
    t.equal(headers['content-location'], seen)
  }
})

t.test('cookies get the stripped prefix back, and none may bear our name', async t => {
  const { answer } = await rewriting(t)
  const sent: Fields = [
    ['Set-Cookie', 'sessionid=1; Path=/; HttpOnly; SameSite=Lax'],
    ['Set-Cookie', 'csrftoken=2; path=/webclient; Secure'],
    ['Set-Cookie', 'plain=3'],
    ['Set-Cookie', '__Host-sallyport=stolen; Path=/; Secure'],
    ['set-cookie', '__HOST-Sallyport-out=1; Path=/; Secure'],
  ]
  t.same((await answer('/pre/fix/x', sent)).cookies, [
    'sessionid=1; Path=/pre/fix/; HttpOnly; SameSite=Lax',
    'csrftoken=2; path=/pre/fix/webclient; Secure',
    'plain=3',
  ])
  t.same(
    (await answer('/x', sent)).cookies,
    sent.slice(0, 3).map(([, cookie]) => cookie),
    'without a prefix as they are',
  )
})

t.test("the gateway's own cookies stay here, and the application's go on", async t => {
  const upstream = await startUpstream(t)
  const gateway = await startTestGateway(t, {
    accounts: { alice: { password: 'alice-password' } },
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]`,
  })
  const cookie = await gateway.signIn('alice', 'alice-password')
  await gateway.ask('/x', { cookie: `sessionid=1; ${cookie}; csrftoken=2` })
  t.equal(upstream.received[0]?.header('cookie'), 'sessionid=1; csrftoken=2')
  t.equal(upstream.received[0]?.header('x-remote-proof'), 'session')
  await gateway.ask('/x', { cookie })
  t.equal(upstream.received[1]?.header('cookie'), undefined)
})

t.test('nothing at an address is 404, and the bare address leads to the home page', async t => {
  const upstream = await startUpstream(t)
  const gateway = await startTestGateway(t, {
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /app, upstream: app, access: everyone }]`,
  })
  t.match(await gateway.ask('/nothing'), { status: 404 })
  t.match(await gateway.ask('/'), { status: 303, headers: { location: '/-/home' } })
  t.match(await gateway.ask('/-/nothing'), { status: 404 })
  t.equal(upstream.received.length, 0)
})
