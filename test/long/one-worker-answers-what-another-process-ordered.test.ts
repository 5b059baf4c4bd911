// Certificates that live for seconds, ordered by the primary: whichever worker the authority asks has the answer, and both
// show each new certificate.
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t from 'tap'
import { freePorts } from '../../src/demo/free-port.ts'
import { within } from '../behaviour/app.ts'
import { startCommand } from '../fixture/command.ts'
import { pebbleTools, startPebble } from '../fixture/pebble.ts'
import { requireReal } from '../fixture/real.ts'

const name = 'pacs.example.org'

t.test('four certificates, without an order that failed', async t => {
  if (!requireReal(t, pebbleTools)) return
  const [plainPort = 0] = await freePorts(1, '127.0.0.1')
  const pebble = await startPebble(t, { httpPort: plainPort, validity: 15 })
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-acme-workers-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const file = join(dir, 'sallyport.yaml')
  writeFileSync(
    file,
    `state: state
workers: 2
listeners:
  web:
    bind: 127.0.0.1:0
    keystore: { acme: { directory: "${pebble.directory.href}", email: pacs@example.org, names: [${name}], ca: ${pebble.caFile} } }
  plain: { bind: "127.0.0.1:${plainPort}", redirect: web }
`,
  )
  const gateway = startCommand(t, ['serve', '--config', file], { cwd: dir })
  const [, digits] = await gateway.shows(/^listening https:\/\/127\.0\.0\.1:(\d+) \(web\)$/m)
  const root = await pebble.root()
  const shown = async () => {
    const socket = connect({ host: '127.0.0.1', port: Number(digits), servername: name, ca: root })
    try {
      await once(socket, 'secureConnect')
      return socket.getPeerX509Certificate()?.serialNumber
    } catch {
      return undefined // there is none yet
    } finally {
      socket.destroy()
    }
  }
  const seen = new Set<string>()
  const one = async () => {
    // One behind the other: one from each worker.
    const [first, second] = [await shown(), await shown()]
    if (first !== undefined && first === second) seen.add(first)
    return seen.size === 4
  }
  t.ok(await within(90_000, one), `${seen.size} certificates, each from both`)
  t.notMatch(gateway.stderr(), /the ACME order failed/)
  t.notMatch(gateway.stderr(), /"worker":\d+[^\n]*a new certificate has come/, 'the primary alone orders')
})
