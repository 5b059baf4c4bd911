// `sallyport demo` stands up with a real Orthanc and a study in it, tells how to come in, and takes all of it down again.
import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import t from 'tap'
import { freePorts } from '../../src/demo/free-port.ts'
import { runCommand, startCommand } from '../fixture/command.ts'
import { curl, curlTools } from '../fixture/curl.ts'
import { orthancTools } from '../fixture/orthanc.ts'
import { requireReal } from '../fixture/real.ts'

t.test('what it prints is true: address, account, certificate, study', async t => {
  if (!requireReal(t, [...orthancTools, ...curlTools])) return
  const dir = t.testdir()
  const [port = 0] = await freePorts(1, '127.0.0.1')
  const demo = startCommand(t, ['demo', '--no-install', '--slices', '3', '--port', String(port)], { cwd: dir })
  await demo.shows(/Ctrl-C stops all of it/)
  const shown = demo.stdout()
  t.match(shown, `listening https://127.0.0.1:${port} (web)`)
  t.match(shown, `Open          https://localhost:${port}/`)
  const [, password = ''] = /Account +alice \/ (\S+)/.exec(shown) ?? []
  const [, p12 = '', p12Password = ''] = /Certificate +(\S+\.p12)\n +password: (\S+)/.exec(shown) ?? []
  const [, ca = ''] = /The authority (\S+)/.exec(shown) ?? []
  t.equal(statSync(p12).mode & 0o777, 0o600)

  const ask = async (path: string, auth?: string) => {
    const sent = request({
      host: 'localhost',
      port,
      path,
      ca: readFileSync(ca),
      agent: false,
      ...(auth === undefined ? {} : { auth }),
    }).end()
    const [answer] = await once(sent, 'response')
    const parts: Buffer[] = await Array.fromAsync(answer)
    return { status: answer.statusCode, text: Buffer.concat(parts).toString() }
  }
  t.equal((await ask('/dicom-web/studies')).status, 401)
  const studies = await ask('/dicom-web/studies?includefield=00201208', `alice:${password}`)
  t.equal(studies.status, 200)
  const [study] = JSON.parse(studies.text)
  t.match(study['00100010'].Value[0].Alphabetic, /^Demo/)
  t.match(study['00081190'].Value[0], `https://localhost:${port}/dicom-web/`)
  const instances = JSON.parse((await ask('/orthanc/instances', `alice:${password}`)).text)
  t.equal(instances.length, 3)

  const byCertificate = await curl([
    '--cacert',
    ca,
    '--cert-type',
    'P12',
    '--cert',
    `${p12}:${p12Password}`,
    `https://localhost:${port}/dicom-web/studies`,
  ])
  t.equal(byCertificate.status, 200, byCertificate.complaint)

  demo.signal('SIGINT')
  const { exitCode } = await demo.ended
  t.equal(exitCode, 0)
  t.ok(existsSync(p12), 'certificates stay for the next time')
})

t.test('with --json the same is one value', async t => {
  if (!requireReal(t, orthancTools)) return
  const dir = t.testdir()
  const [port = 0] = await freePorts(1, '127.0.0.1')
  const demo = startCommand(t, ['demo', '--no-install', '--slices', '1', '--port', String(port), '--json'], {
    cwd: dir,
  })
  await demo.shows(/"study"/)
  demo.signal('SIGTERM')
  const { exitCode, stdout } = await demo.ended
  t.equal(exitCode, 0)
  const last = stdout.slice(stdout.lastIndexOf('\n{') + 1)
  t.match(JSON.parse(last), { address: `https://localhost:${port}/`, account: { name: 'alice' }, study: /^2\.25\./ })
  t.ok(existsSync(join(dir, 'state', 'demo', 'alice.p12')))
})

t.test('a size or port that is none is refused before anything is made', async t => {
  const dir = t.testdir()
  t.match(await runCommand(['demo', '--slices', '0'], { cwd: dir }), { exitCode: 2, stderr: /--slices 0/ })
  t.match(await runCommand(['demo', '--port', '0'], { cwd: dir }), { exitCode: 2, stderr: /--port 0/ })
  t.notOk(existsSync(join(dir, 'state')))
})
