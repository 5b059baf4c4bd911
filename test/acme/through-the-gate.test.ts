/**
 * The whole gateway as a command, with a certificate from a real ACME authority that lives for seconds.
 */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { connect } from 'node:tls'
import t from 'tap'
import { freePorts } from '../../src/demo/free-port.ts'
import { runCommand, startCommand } from '../fixture/command.ts'
import { pebbleTools, startPebble } from '../fixture/pebble.ts'
import { requireReal } from '../fixture/real.ts'
import { startUpstream } from '../fixture/upstream.ts'

const name = 'pacs.example.org'

/** Serial of the certificate that a stranger is shown, or the reason why there was no handshake. */
async function shown(port: number, ca: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, servername: name, ca })
  try {
    await once(socket, 'secureConnect')
    return socket.getPeerX509Certificate()?.serialNumber ?? 'none'
  } catch (cause) {
    return cause instanceof Error && 'code' in cause ? String(cause.code) : 'failed'
  } finally {
    socket.destroy()
  }
}

t.test('a listener starts without a certificate, gets one, and shows the next one without a restart', async t => {
  if (!requireReal(t, pebbleTools)) return
  const [plainPort = 0] = await freePorts(1, '127.0.0.1')
  // Renewed with two seconds left: late enough to be seen, and soon enough to be waited for.
  const pebble = await startPebble(t, { httpPort: plainPort, validity: 6 })
  const upstream = await startUpstream(t)
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-acme-gate-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const file = join(dir, 'sallyport.yaml')
  writeFileSync(
    file,
    `state: state
listeners:
  web:
    bind: 127.0.0.1:0
    keystore: { acme: { directory: "${pebble.directory.href}", email: pacs@example.org, names: [${name}], ca: ${pebble.caFile} } }
  plain: { bind: "127.0.0.1:${plainPort}", redirect: web }
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]
`,
  )
  const checked = await runCommand(['check', '--config', file], { cwd: dir })
  t.equal(checked.exitCode, 0, checked.stderr)
  const said = checked.stdout + checked.stderr
  t.match(said, /no certificate has come from 127\.0\.0\.1:\d+ yet/)
  t.match(said, /the authority looks on port 80, which no plain listener binds/)

  await pebble.stop()
  const gateway = startCommand(t, ['serve', '--config', file], { cwd: dir })
  const [, digits] = await gateway.shows(/^listening https:\/\/127\.0\.0\.1:(\d+) \(web\)$/m)
  const port = Number(digits)
  await gateway.shows(/there is no certificate yet/)
  // Nothing is certified yet, so there is nobody to believe either.
  t.match(await shown(port, pebble.ca[0] ?? ''), /ALERT_HANDSHAKE_FAILURE|ECONNRESET|NO_SHARED|SSLV3_ALERT/)
  const plain = connectTcp(plainPort, '127.0.0.1')
  plain.end(`GET /study HTTP/1.1\r\nHost: ${name}\r\n\r\n`)
  t.match(await text(plain), /^HTTP\/1\.1 301 [\s\S]*location: https:\/\/pacs\.example\.org:\d+\/study\r\n/i)

  await pebble.start()
  const root = await pebble.root()
  await gateway.shows(/a new certificate has come/)
  await gateway.shows(/was read again, and is at work/)
  const first = await shown(port, root)
  t.match(first, /^[0-9A-F]+$/, gateway.stderr())

  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const ask = async () => {
    const sent = request({
      host: '127.0.0.1',
      port,
      path: '/a',
      servername: name,
      ca: root,
      agent,
      headers: { host: `${name}:${port}` },
    })
    sent.end()
    const [answer] = await once(sent, 'response')
    await text(answer)
    return [answer.statusCode, sent.reusedSocket]
  }
  t.same(await ask(), [200, false])
  const asked: string[] = []
  let next = first
  for (const end = Date.now() + 12_000; next === first && Date.now() < end; ) {
    next = await shown(port, root)
    asked.push((await ask()).join())
    await pause(100)
  }
  t.match(next, /^[0-9A-F]+$/)
  t.not(next, first, 'the next certificate is shown to who comes now')
  asked.push((await ask()).join())
  t.same(new Set(asked), new Set(['200,true']), 'and nobody was cut: a connection that was open goes on')

  gateway.signal('SIGTERM')
  const { exitCode, stdout, stderr } = await gateway.ended
  t.equal(exitCode, 0, stderr)
  t.notMatch(stdout + stderr, /PRIVATE KEY/)
})
