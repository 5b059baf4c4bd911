// `sallyport serve` in an empty folder makes what it needs, says the password once, and uses what is there the next time.
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { type RunningCommand, startCommand } from '../fixture/command.ts'

const port = 8443

/** The quick start has a port of its own, and somebody else on this machine may have it for a moment. */
async function untilFree(): Promise<void> {
  for (const deadline = Date.now() + 15_000; ; await pause(200)) {
    const probe = createServer().listen(port, '127.0.0.1')
    const [event] = await Promise.race([once(probe, 'listening').then(() => ['free']), once(probe, 'error')])
    await new Promise(resolve => probe.close(resolve))
    if (event === 'free') return
    if (Date.now() > deadline) throw new Error(`port ${port} is taken`)
  }
}

async function ask(dir: string, path: string, auth?: string) {
  const ca = readFileSync(join(dir, 'certs', 'authority', 'ca.pem'))
  const sent = request({
    host: 'localhost',
    port,
    path,
    ca,
    agent: false,
    ...(auth === undefined ? {} : { auth }),
  }).end()
  const [answer] = await once(sent, 'response')
  const parts: Buffer[] = await Array.fromAsync(answer)
  return { status: answer.statusCode, text: Buffer.concat(parts).toString() }
}

const modes = (dir: string, files: readonly string[]) =>
  Object.fromEntries(files.map(file => [file, (statSync(join(dir, file)).mode & 0o777).toString(8)]))

async function start(t: Parameters<typeof startCommand>[0], dir: string): Promise<RunningCommand> {
  await untilFree()
  const running = startCommand(t, ['serve'], { cwd: dir })
  await running.shows(/^listening https:\/\/127\.0\.0\.1:8443 \(web\)$/m)
  await running.shows(/^Viewer +not installed; get it with: sallyport viewer install$/m)
  return running
}

t.test('the first start makes files, the second uses them', async t => {
  const dir = t.testdir()
  const first = await start(t, dir)
  const [, password = ''] = await first.shows(/^Sign in +admin \/ (\S+) /m)
  t.ok(password.length >= 16, 'a password worth the name')
  t.match(first.stderr(), /quick start, in front of an Orthanc on http:\/\/127\.0\.0\.1:8042/)
  t.equal(first.stdout(), 'listening https://127.0.0.1:8443 (web)\n')
  const made = [
    'state',
    'state/users.yaml',
    'state/audit.jsonl',
    'state/sallyport.db',
    'certs/server.key',
    'certs/server.pem',
    'certs/authority/ca.key',
    'certs/authority/ca.pem',
  ]
  t.same(modes(dir, made), {
    state: '700',
    'state/users.yaml': '600',
    'state/audit.jsonl': '600',
    'state/sallyport.db': '600',
    'certs/server.key': '600',
    'certs/server.pem': '644',
    'certs/authority/ca.key': '600',
    'certs/authority/ca.pem': '644',
  })
  t.notMatch(readFileSync(join(dir, 'state', 'users.yaml'), 'utf8'), password, 'it is kept as a hash only')

  t.equal((await ask(dir, '/dicom-web/studies')).status, 401)
  const down = await ask(dir, '/dicom-web/studies', `admin:${password}`)
  t.ok(down.status === 502 || down.status === 200, 'an Orthanc that is not there is a page of ours')
  first.signal('SIGTERM')
  t.equal((await first.ended).exitCode, 0)

  const before = made.filter(file => /certs|users/.test(file)).map(file => readFileSync(join(dir, file), 'latin1'))
  const second = await start(t, dir)
  t.notMatch(second.stderr(), /Sign in/, 'the password is not told again')
  t.notMatch(second.stderr() + second.stdout(), password)
  t.same(
    made.filter(file => /certs|users/.test(file)).map(file => readFileSync(join(dir, file), 'latin1')),
    before,
    'nothing was made anew',
  )
  t.equal((await ask(dir, '/-/home', `admin:${password}`)).status, 200, 'and the account is the same')
  second.signal('SIGTERM')
  t.equal((await second.ended).exitCode, 0)
})
