// A real nginx that gives session tickets, as upstream: it says itself that no session was ever resumed, and a
// certificate that it gets between two requests is refused before it sees one.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startAuthority, type TestPair } from '../fixture/authority.ts'
import { requireReal } from '../fixture/real.ts'
import { sha256Of } from '../tls/peer-lab.ts'
import { trustOf } from '../tls/trusted.ts'
import { asking, eventually, faultOf, open, textOf } from './opened.ts'

if (!requireReal(t, ['nginx'])) process.exit(0)

const authority = await startAuthority(t)
const [first, second] = [await authority.server(['localhost']), await authority.server(['localhost'])]

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  return address === null || typeof address === 'string' ? 0 : address.port
}

const answers = (port: number) =>
  new Promise<boolean>(resolve => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })

async function startNginx(t: Pick<Test, 'teardown'>, pair: TestPair, protocol: string) {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-nginx-'))
  const port = await freePort()
  writeFileSync(join(dir, 'access.log'), '')
  writeFileSync(
    join(dir, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${dir}/pid; error_log ${dir}/error.log;${process.getuid?.() === 0 ? ' user root;' : ''}
events {}
http {
  log_format line '$ssl_protocol $ssl_session_reused $request';
  access_log ${dir}/access.log line;
  client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi; scgi_temp_path ${dir}/scgi;
  keepalive_timeout 0;
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${dir}/server.pem; ssl_certificate_key ${dir}/server.key;
    ssl_protocols ${protocol}; ssl_session_tickets on; ssl_session_cache shared:tickets:1m;
    location / { return 200 "from nginx"; }
  }
}
`,
  )
  let stop = async () => {}
  const show = async ({ chainPem, keyPem }: TestPair) => {
    // Stopped and started: after a reload its old worker may take one more connection.
    await stop()
    writeFileSync(join(dir, 'server.pem'), chainPem)
    writeFileSync(join(dir, 'server.key'), keyPem, { mode: 0o600 })
    const child = spawn('nginx', ['-c', join(dir, 'nginx.conf'), '-e', join(dir, 'error.log')], { stdio: 'ignore' })
    const gone = new Promise(resolve => child.once('exit', resolve))
    stop = async () => {
      child.kill()
      await gone
    }
    if (!(await eventually(() => answers(port))))
      throw new Error(`nginx does not answer: ${readFileSync(join(dir, 'error.log'), 'utf8')}`)
  }
  t.teardown(async () => {
    await stop()
    rmSync(dir, { recursive: true, force: true })
  })
  await show(pair)
  return { port, show, lines: () => readFileSync(join(dir, 'access.log'), 'utf8').split('\n').filter(Boolean) }
}

for (const protocol of ['TLSv1.2', 'TLSv1.3']) {
  t.test(`${protocol}: no session is resumed, and a swapped certificate is refused unheard`, async t => {
    const nginx = await startNginx(t, first, protocol)
    const trust = trustOf({ ca: authority.caFile, pins: [`sha256:${sha256Of(first.certPem)}`] })
    const upstream = open(t, `https://localhost:${nginx.port}`, '', trust)
    const ask = async () => textOf((await upstream.send(asking())).body)
    for (let times = 0; times < 3; times++) t.equal(await ask(), 'from nginx')
    t.ok(await eventually(() => nginx.lines().length === 3))
    t.same(new Set(nginx.lines()), new Set([`${protocol} . GET / HTTP/1.1`]), 'a dot: not resumed')

    await nginx.show(second)
    t.equal(await faultOf(upstream.send(asking())), 'upstream-untrusted')
    t.equal(nginx.lines().length, 3, 'nothing was asked of it')
    await nginx.show(first)
    t.equal(await ask(), 'from nginx', 'the right one is believed again')
  })
}
