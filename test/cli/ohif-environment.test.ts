// `serve` with SSL_PORT or PORT and no configuration stands in for the OHIF image: its port, its files, its headers.
// Source: OHIF's documentation, "Docker" and "SSL" (seed 001); its rows are the titles here and in ohif-environment-as-image.test.ts.
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { runCommand, twoAtATime } from '../fixture/command.ts'
import { curl, curlTools } from '../fixture/curl.ts'
import { requireReal } from '../fixture/real.ts'
import { freePort, makePlace, pageFor, script, selfSigned, serveOnce, serveThere } from './ohif-place.ts'

const tools = [...curlTools, 'openssl']
// Each starts a program, and then mostly waits.
t.jobs = 2

/** What `openssl s_client` says of a server, with the certificate in this file for an authority. */
async function openssl(ca: string, port: number): Promise<string> {
  const run = promisify(execFile)('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', ca])
  run.child.stdin?.end()
  return (await run).stdout
}

t.test('with SSL_PORT it is TLS there, on IPv4 and IPv6, HTTP/2 and HTTP/1.1, and writes nothing', async t => {
  if (!requireReal(t, tools)) return
  const place = makePlace(t)
  const { certificate, key } = selfSigned(place, 'pair', ['-addext', 'subjectAltName=IP:127.0.0.1,IP:::1'])
  const env = { SSL_CERTIFICATE: certificate, SSL_CERTIFICATE_KEY: key }
  const served = await serveThere(t, place, 'SSL_PORT', env)
  t.equal(
    served.stdout(),
    `listening https://0.0.0.0:${served.port} (web)\nlistening https://[::]:${served.port} (web)\n`,
  )
  for (const host of ['127.0.0.1', '[::1]']) {
    const answer = await curl(['--cacert', certificate, `https://${host}:${served.port}/`])
    t.match(answer, { status: 200, version: '2', text: pageFor('/') }, host)
  }
  const older = await curl([
    '--http1.1',
    '--tls-max',
    '1.2',
    '--cacert',
    certificate,
    `https://127.0.0.1:${served.port}/`,
  ])
  t.match(older, { status: 200, version: '1.1' })
  const tooOld = await curl(['--tls-max', '1.1', '--cacert', certificate, `https://127.0.0.1:${served.port}/`])
  t.equal(tooOld.status, 0, 'the terms are those of mozilla-intermediate')
  const plain = await curl([`http://127.0.0.1:${served.port}/`])
  t.match(plain, { status: 400, text: /https:\/\// }, 'plain HTTP on this port is told what to do')

  const line = await served.shows(/^\{.*"msg":"exchange".*\}$/m)
  t.match(JSON.parse(line[0]), { method: 'GET', path: '/', status: 200, protocol: 'HTTP/2' })
  t.same(readdirSync(place.file('state')), ['ohif'], 'nothing was written')
  t.notOk(existsSync(place.file('certs')))
  served.signal('SIGTERM')
  t.equal((await served.ended).exitCode, 0)
})

t.test(
  'seed 001: the documented self-signed certificate is served, with a warning that browsers do not read the CN',
  async t => {
    if (!requireReal(t, tools)) return
    const place = makePlace(t)
    const { certificate, key } = selfSigned(place)
    const served = await serveThere(t, place, 'SSL_PORT', { SSL_CERTIFICATE: certificate, SSL_CERTIFICATE_KEY: key })
    t.match(
      served.stderr(),
      /warning: .*self-signed\.crt has its name in CN only .*CN=127\.0\.0\.1.*--ip ADDRESS --self-signed/,
    )
    // No client would find the address in it, so chain and handshake are looked at alone, as whoever clicks a warning away.
    const shown = await openssl(certificate, served.port)
    t.match(shown, /subject=.*CN ?= ?127\.0\.0\.1/)
    t.match(shown, /Verify return code: 0 \(ok\)/)
    t.match(await curl(['-k', `https://127.0.0.1:${served.port}/`]), { status: 200, text: pageFor('/') })
  },
)

t.test('certs server --ip --self-signed has the address in its SAN, so that clients find it there', async t => {
  if (!requireReal(t, tools)) return
  const place = makePlace(t)
  const made = await runCommand(['certs', 'server', '--ip', '127.0.0.1', '--self-signed'], { cwd: place.dir })
  t.equal(made.exitCode, 0, made.stderr)
  const [certificate, key] = [place.file('certs/server.pem'), place.file('certs/server.key')]
  t.match(
    execFileSync('openssl', ['x509', '-in', certificate, '-noout', '-ext', 'subjectAltName'], { encoding: 'utf8' }),
    /IP Address:127\.0\.0\.1/,
  )
  const served = await serveThere(t, place, 'SSL_PORT', { SSL_CERTIFICATE: certificate, SSL_CERTIFICATE_KEY: key })
  t.match(await curl(['--cacert', certificate, `https://127.0.0.1:${served.port}/`]), { status: 200 })
  t.notMatch(served.stderr(), /has its name in CN/)
})

t.test('seed 001: a certificate of a CA is served with its chain', async t => {
  if (!requireReal(t, tools)) return
  const place = makePlace(t)
  const authority = await startAuthority(t)
  const pair = await authority.server(['localhost'], ['127.0.0.1'])
  const served = await serveThere(t, place, 'SSL_PORT', {
    SSL_CERTIFICATE: pair.certFile,
    SSL_CERTIFICATE_KEY: pair.keyFile,
  })
  t.match(await curl(['--cacert', authority.caFile, `https://localhost:${served.port}/`]), { status: 200 })
  t.notMatch(served.stderr(), /has its name in CN/)
  t.notMatch(served.stderr(), /others may read/)
})

t.test(
  'seed 001: without SSL_PORT it is plain HTTP, even if certificate and key are there, and one warning says so',
  async t => {
    if (!requireReal(t, tools)) return
    const place = makePlace(t)
    const { certificate, key } = selfSigned(place)
    const env = { SSL_CERTIFICATE: certificate, SSL_CERTIFICATE_KEY: key, APP_CONFIG: 'window.config = {}' }
    const served = await serveThere(t, place, 'PORT', env)
    t.equal(
      served.stdout(),
      `listening http://0.0.0.0:${served.port} (web)\nlistening http://[::]:${served.port} (web)\n`,
    )
    for (const host of ['127.0.0.1', '[::1]', 'localhost']) {
      const answer = await curl([`http://${host}:${served.port}/viewer?StudyInstanceUIDs=1.2`])
      t.match(answer, { status: 200, version: '1.1', text: pageFor('/') }, host)
      t.equal(answer.headers['strict-transport-security'], undefined)
    }
    const warnings = served.stderr().match(/^warning: .*$/gm) ?? []
    t.equal(warnings.length, 1, warnings.join('\n'))
    t.match(
      warnings[0],
      /plain HTTP, nothing is encrypted; .*self-signed\.crt and .*private\.key would be used with SSL_PORT/,
    )
    served.signal('SIGHUP')
    await served.shows(/SIGHUP: there is no certificate here/)
    t.match(await curl([`http://127.0.0.1:${served.port}/`]), { status: 200 }, 'SIGHUP ends nothing')
    served.signal('SIGTERM')
    t.equal((await served.ended).exitCode, 0)
  },
)

t.test('with both ports TLS alone is spoken, and a note says that PORT stands back', async t => {
  if (!requireReal(t, tools)) return
  const place = makePlace(t)
  const { certificate, key } = selfSigned(place, 'pair', ['-addext', 'subjectAltName=IP:127.0.0.1'])
  const plain = await freePort()
  const env = { SSL_CERTIFICATE: certificate, SSL_CERTIFICATE_KEY: key, PORT: String(plain) }
  const served = await serveThere(t, place, 'SSL_PORT', env)
  t.match(await curl(['--cacert', certificate, `https://127.0.0.1:${served.port}/`]), { status: 200 })
  t.match(await curl([`http://127.0.0.1:${plain}/`]), { status: 0, exitCode: 7 }, 'nobody listens there')
  t.match(served.stderr(), /^PORT is set too and stands back/m)
})

t.test('files go out with the headers, caching and types that the viewer needs', async t => {
  if (!requireReal(t, tools)) return
  const served = await serveThere(t, makePlace(t), 'PORT', { APP_CONFIG: 'window.config = {}' })
  const get = (path: string, ...args: string[]) => curl([...args, `http://127.0.0.1:${served.port}${path}`])
  const cases: [path: string, caching: string, type: string][] = [
    ['/', 'no-store', 'text/html; charset=utf-8'],
    ['/index.html', 'no-store', 'text/html; charset=utf-8'],
    ['/viewer', 'no-store', 'text/html; charset=utf-8'],
    ['/sw.js', 'no-cache', 'text/javascript; charset=utf-8'],
    ['/app-config.js', 'no-cache', 'text/javascript; charset=utf-8'],
    ['/app.bundle.0f6159c501addfe9.js', 'public, max-age=31536000, immutable', 'text/javascript; charset=utf-8'],
    ['/0ddf166f7a343eda.wasm', 'public, max-age=31536000, immutable', 'application/wasm'],
    ['/assets/logo.svg', 'max-age=300, must-revalidate', 'image/svg+xml'],
  ]
  for (const [path, caching, type] of cases) {
    const { status, headers } = await get(path)
    t.equal(status, 200, path)
    t.match(
      headers,
      {
        'cache-control': caching,
        'content-type': type,
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
        'cross-origin-resource-policy': 'same-origin',
        'x-content-type-options': 'nosniff',
        'x-request-id': /^[0-9a-f-]{36}$/,
      },
      path,
    )
    t.equal(headers['strict-transport-security'], undefined, 'other ports of this host are not ours to decide on')
  }
  const bundle = '/app.bundle.0f6159c501addfe9.js'
  t.equal((await get(bundle)).text, script, 'a script that the image has emptied is whole for clients without gzip')
  const packed = await get(bundle, '-H', 'accept-encoding: gzip')
  t.equal(packed.headers['content-encoding'], 'gzip')
  t.equal(gunzipSync(packed.bytes).toString(), script)
})

t.test('what cannot be understood is 400, what is not there 404, and nothing is ever changed', async t => {
  if (!requireReal(t, tools)) return
  const place = makePlace(t)
  place.put('state/secret.txt', 'outside')
  const served = await serveThere(t, place, 'PORT', { APP_CONFIG: 'window.config = {}' })
  const get = (path: string, ...args: string[]) =>
    curl(['--path-as-is', ...args, `http://127.0.0.1:${served.port}${path}`])
  for (const path of [
    '/../secret.txt',
    '/..%2fsecret.txt',
    '/%2e%2e/secret.txt',
    '/a//b',
    '/a%00',
    '/%zz',
    '/..%5csecret.txt',
    '/a%252e',
  ])
    t.match(await get(path), { status: 400, text: /^The path cannot be read/ }, path)
  for (const path of ['/missing.js', '/plugins/x', '/.git/config']) t.match(await get(path), { status: 404 }, path)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])
    t.match(await get('/', '-X', method), { status: 405, headers: { allow: 'GET, HEAD' } }, method)
  t.match(
    await curl(['--data-binary', '@-', `http://127.0.0.1:${served.port}/`], 'x'.repeat(2_000_000)),
    { status: 405 },
    'a body is not waited for',
  )
  t.match(await get('/', '-H', 'host:'), { status: 400 }, 'a request without Host')
  t.match(await get('/', '-H', 'connection: upgrade', '-H', 'upgrade: websocket', '-H', 'sec-websocket-version: 13'), {
    status: 404,
    text: /no WebSockets/,
  })
  t.match(await get('/', '-I'), { status: 200, headers: { 'content-length': String(pageFor('/').length) } })
  t.notMatch(served.stderr(), /"level":50/, 'and none of it is a fault')
})

t.test('APP_CONFIG is app-config.js, byte by byte, never kept, and right in its length for every client', async t => {
  if (!requireReal(t, tools)) return
  const text = `window.config = { name: "ü ${'x'.repeat(3000)}", dataSources: [] }\n// end`
  const served = await serveThere(t, makePlace(t), 'PORT', { APP_CONFIG: text })
  const bytes = Buffer.from(text)
  for (const args of [[], ['-H', 'accept-encoding: gzip'], ['-I'], ['-I', '-H', 'accept-encoding: gzip']]) {
    const answer = await curl([...args, `http://127.0.0.1:${served.port}/app-config.js`])
    t.match(answer, { status: 200, exitCode: 0 }, args.join(' '))
    t.equal(answer.headers['cache-control'], 'no-cache')
    t.equal(answer.headers['vary'], 'accept-encoding')
    const coded = answer.headers['content-encoding'] === 'gzip'
    t.equal(coded, args.length > 1)
    if (!args.includes('-I')) {
      t.equal(answer.headers['content-length'], String(answer.bytes.length), 'curl would complain as well')
      t.ok((coded ? gunzipSync(answer.bytes) : answer.bytes).equals(bytes))
    } else if (!coded) t.equal(answer.headers['content-length'], String(bytes.length))
  }
  t.notMatch(served.stderr(), /APP_CONFIG/)
})

t.test('without APP_CONFIG the file of the viewer’s folder counts, and who it asks for studies is named', async t => {
  if (!requireReal(t, tools)) return
  const place = makePlace(t)
  const served = await serveThere(t, place, 'PORT')
  t.match(served.stderr(), /APP_CONFIG is not set: .* asks https:\/\/cloud\.example\.org for studies/)
  const own = await curl([`http://127.0.0.1:${served.port}/app-config.js`])
  t.match(own.text, 'cloud.example.org')
  writeFileSync(place.file('state/ohif/app-config.js'), 'window.config = "mounted"')
  t.equal((await curl([`http://127.0.0.1:${served.port}/app-config.js`])).text, 'window.config = "mounted"')
})

t.test('CSP_HEADER takes the place of our policy', async t => {
  if (!requireReal(t, tools)) return
  const policy = "default-src 'self'; frame-ancestors https://portal.example.org"
  const served = await serveThere(t, makePlace(t), 'PORT', { CSP_HEADER: policy, APP_CONFIG: 'window.config = {}' })
  for (const path of ['/', '/sw.js', '/missing.js'])
    t.equal((await curl([`http://127.0.0.1:${served.port}${path}`])).headers['content-security-policy'], policy, path)
})

t.test('a viewer that was built for /ohif/ is served there, and nowhere else', async t => {
  if (!requireReal(t, tools)) return
  const place = makePlace(t, '/ohif/')
  for (const env of [{ PUBLIC_URL: '/ohif/' }, {}]) {
    const served = await serveThere(t, place, 'PORT', { APP_CONFIG: 'window.config = {}', ...env })
    const get = (path: string) => curl([`http://127.0.0.1:${served.port}${path}`])
    t.match(await get('/ohif/'), { status: 200, text: pageFor('/ohif/') })
    t.match(await get('/ohif/viewer?StudyInstanceUIDs=1'), { status: 200, text: pageFor('/ohif/') })
    t.match(await get('/ohif/app.bundle.0f6159c501addfe9.js'), { status: 200, text: script })
    t.match(await get('/ohif/app-config.js'), { status: 200, text: 'window.config = {}' })
    t.match(await get('/?a=b'), { status: 302, headers: { location: '/ohif/?a=b' } })
    t.match(await get('/ohif'), { status: 302, headers: { location: '/ohif/' } })
    t.match(await get('/dicom-microscopy-viewer/lib.js'), { status: 200, text: script }, 'asked for at the root')
    for (const path of ['/app-config.js', '/viewer', '/sw.js', '/ohifx/sw.js'])
      t.match(await get(path), { status: 404 }, path)
  }
  const refused = await serveOnce(place, { PORT: String(await freePort()), PUBLIC_URL: '/' })
  t.match(refused, {
    exitCode: 2,
    stdout: '',
    stderr: /PUBLIC_URL is \/, and the viewer in state\/ohif was built for \/ohif\//,
  })
})

t.test('what cannot be served is refused with exit code 2 and a cure, before anything is bound', async t => {
  if (!requireReal(t, tools)) return
  const plain = makePlace(t)
  const none = makePlace(t, 'no viewer')
  const foreign = makePlace(t, 'no viewer')
  foreign.put('state/ohif/index.html', '<!DOCTYPE html><title>Welcome to nginx!</title>')
  const elsewhere = makePlace(t, 'https://cdn.example.org/ohif/')
  const { certificate, key } = selfSigned(plain)
  const other = selfSigned(plain, 'other')
  const encrypted = plain.file('encrypted.key')
  execFileSync('openssl', ['pkey', '-in', key, '-aes128', '-passout', 'pass:secret', '-out', encrypted])
  const nowhere = plain.file('nowhere')
  const PORT = String(await freePort())
  const SSL_PORT = PORT
  const cases: [place: typeof plain, env: NodeJS.ProcessEnv, told: RegExp][] = [
    [plain, { SSL_PORT: '0' }, /error: SSL_PORT is "0", which is no port\nhint: write a number from 1 to 65535/],
    [plain, { SSL_PORT: 'abc', CLIENT_ID: 'x' }, /SSL_PORT is "abc"[\s\S]*CLIENT_ID is set/],
    [plain, { PORT, PUBLIC_URL: '/ohif/' }, /was built for \/: that is baked in[\s\S]*hint: unset PUBLIC_URL/],
    [
      none,
      { PORT },
      /error: no OHIF viewer is installed; looked in state\/ohif \(nothing there\).*\nhint: sallyport viewer install/,
    ],
    [foreign, { PORT }, /no OHIF viewer is installed; looked in state\/ohif \(a page that is not of OHIF\)/],
    [elsewhere, { PORT }, /was built for "https:\/\/cdn\.example\.org\/ohif\/", which is no path of this server/],
    [
      plain,
      { SSL_PORT },
      /there is no file \/etc\/ssl\/certs\/ssl-certificate\.crt\nhint: mount it there[\s\S]*there is no file \/etc\/ssl\/private\/ssl-private-key\.key/,
    ],
    [plain, { SSL_PORT, SSL_CERTIFICATE: nowhere, SSL_CERTIFICATE_KEY: key }, /there is no file .*nowhere\n/],
    [
      plain,
      { SSL_PORT, SSL_CERTIFICATE: plain.dir, SSL_CERTIFICATE_KEY: key },
      /is a folder, not a file\nhint: Docker makes an empty folder/,
    ],
    [
      plain,
      { SSL_PORT, SSL_CERTIFICATE: certificate, SSL_CERTIFICATE_KEY: other.key },
      /the key does not belong to this certificate/,
    ],
    [
      plain,
      { SSL_PORT, SSL_CERTIFICATE: certificate, SSL_CERTIFICATE_KEY: encrypted },
      /the key is encrypted.*\nhint: take the password off \(openssl pkey -in /,
    ],
  ]
  await twoAtATime(cases, async ([place, env, told]) => {
    const { exitCode, stdout, stderr } = await serveOnce(place, env)
    t.equal(exitCode, 2, stderr)
    t.equal(stdout, '')
    t.match(stderr, told)
    t.notMatch(stderr, /^ {4}at /m, 'no stack')
  })
  t.notOk(existsSync(none.file('state')), 'and no quick start was made instead')
})

t.test('a port that is taken is a fault with a clear sentence', async t => {
  if (!requireReal(t, tools)) return
  const taken = createServer().listen(0, '::')
  t.teardown(() => taken.close())
  await new Promise(resolve => taken.once('listening', resolve))
  const address = taken.address()
  const port = typeof address === 'object' ? address?.port : 0
  const { exitCode, stderr } = await serveOnce(makePlace(t), { PORT: String(port) })
  t.equal(exitCode, 1)
  t.match(stderr, `error: [::]:${port} is already in use`)
  t.notMatch(stderr, /^ {4}at /m, 'no stack')
})

t.test('a configuration is stronger than the environment', async t => {
  if (!requireReal(t, tools)) return
  const place = makePlace(t)
  place.put('config/sallyport.yaml', 'routes: 1')
  const { exitCode, stderr } = await serveOnce(place, { PORT: '8080' })
  t.equal(exitCode, 2)
  t.match(stderr, 'sallyport.yaml')
})
