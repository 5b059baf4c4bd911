// Every secret of a site is a planted text. Whatever a running gateway and its commands say, write or leave behind is searched
// for each of them: pages, log, audit trail, metrics, --json, files of the state, and the core dump of a crash.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { within } from '../behaviour/app.ts'
import { signIn, textOf } from '../cli/signed-in.ts'
import { runCommand, twoAtATime } from '../fixture/command.ts'
import { requireReal } from '../fixture/real.ts'
import { askSite, makeSite, type ServedSite, serveSite } from '../fixture/site.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { reply } from '../fixture/upstream-answers.ts'

if (!requireReal(t, [...slapdTools, 'prlimit'])) process.exit(0)

const planted = {
  upstream: 'planted-upstream-4f1c',
  container: 'planted-container-90ab',
  local: 'planted local 77de pass-word',
  typed: 'planted-typed-by-mistake-31',
  first: 'planted-first-user-password-6a',
  foreign: 'planted-registered-user-b2',
}

const slapd = await startSlapd(t)
const upstream = await startUpstream(t, ({ target }) =>
  target.startsWith('/refused')
    ? reply({ status: 401, headers: [['WWW-Authenticate', 'Basic realm="inner"']], body: 'no' })
    : reply({ body: 'fine' }),
)
const adminPort = await new Promise<number>(resolve => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const address = server.address()
    server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 1))
  })
})

const site = await makeSite(t, {
  accounts: { lena: { password: planted.local } },
  yaml: `log: { level: debug, format: json }
realms:
  basic: true
  local: { file: users.yaml }
  directory:
    enabled: true
    urls: ["${slapd.url}"]
    username: "${slapd.reader.dn}"
    password: { file: reader }
    base: ${slapd.base}
    userMapping: omeName=uid
    newUserGroup: ":query:(member=@{dn})"
    syncOnLogin: true
audit: { file: audit.jsonl }
admin: { bind: "127.0.0.1:${adminPort}" }
upstreams:
  app: { kind: generic, url: "${upstream.url}", credentials: { username: gate, password: { file: upstream } } }
  gone: { kind: generic, url: "http://127.0.0.1:9", credentials: { username: gate, password: { file: upstream } } }
routes:
  - { path: /, upstream: app, access: authenticated }
  - { path: /gone, upstream: gone, access: authenticated }`,
})
const { dir, file } = site
const write = (name: string, text: string) => {
  writeFileSync(join(dir, name), text, { mode: 0o600 })
  return join(dir, name)
}
write('upstream', planted.upstream)
write('reader', slapd.reader.password)
const client = await site.authority.client('carla', { p12Password: planted.container })
write('container', planted.container)
const alice = slapd.people.alice

/** In each spelling in which a text travels or is kept. */
const spellings = (secret: string) => [
  secret,
  encodeURIComponent(secret),
  new URLSearchParams({ secret }).toString().slice('secret='.length),
  ...[0, 1, 2].map(shift => {
    // Base64 of a text differs by where in three bytes it begins; what lies wholly inside does not.
    const text = Buffer.from(`${'x'.repeat(shift)}${secret}`).toString('base64')
    return text.slice(shift === 0 ? 0 : 4, Math.floor(text.length / 4) * 4 - 4)
  }),
  Buffer.from(secret).toString('hex'),
]
const secrets: Record<string, string> = { ...planted, directory: alice.password, reader: slapd.reader.password }

function holdsNone(t: Test, where: string, text: string | Buffer): void {
  const found = Object.entries(secrets).filter(([, secret]) => spellings(secret).some(one => text.includes(one)))
  t.same(
    found.map(([name]) => name),
    [],
    where,
  )
}

/** Lets it do whatever has to do with secrets; all that came back is one text. */
async function everything(t: Test, served: ServedSite): Promise<string> {
  const said: string[] = []
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const answer = await askSite(site, served, path, { headers })
    said.push(JSON.stringify(answer.rawHeaders), await textOf(answer))
    return answer.statusCode
  }
  const basic = (pair: string) => ({ authorization: `Basic ${Buffer.from(pair).toString('base64')}` })
  const session = await signIn(site, served, alice.uid, alice.password)
  const local = await signIn(site, served, 'lena', planted.local)
  secrets['session'] = session.split('=')[1] ?? ''
  secrets['local session'] = local.split('=')[1] ?? ''
  await t.rejects(signIn(site, served, 'lena', planted.typed))
  t.equal(await ask('/x?a=b', { cookie: session }), 200)
  t.equal(await ask('/x', basic(`lena:${planted.local}`)), 200)
  t.equal(await ask('/x', basic(`lena:${planted.typed}`)), 401)
  t.equal(await ask('/refused', { cookie: session, accept: 'text/html' }), 502)
  t.equal(await ask('/gone/x', basic(`alice:${alice.password}`)), 502)
  t.equal(await ask('/a/../%2e', { cookie: session, ...basic(`lena:${planted.local}`) }), 400)
  t.equal(await ask('/-/', { cookie: session, accept: 'text/html' }), 303)
  for (const path of ['/metrics', '/readyz'])
    said.push(await (await fetch(`http://127.0.0.1:${adminPort}${path}`)).text())
  return said.join('\n')
}

/** Makes it crash with a core dump, whatever the shell of the test allows. The dump, if the machine writes one to a file. */
async function crash(pid: number, ended: Promise<unknown>): Promise<Buffer | undefined> {
  execFileSync('/usr/bin/prlimit', [`--pid=${pid}`, '--core=unlimited'])
  process.kill(pid, 'SIGABRT')
  await ended
  const [core] = globSync(join(dir, 'core*'))
  if (core === undefined) return undefined
  // Sparse, and half a gigabyte long: only the lines that hold a planted text are read.
  const words = Object.values(secrets).flatMap(secret => ['-e', secret])
  const found = execFileSync('sh', ['-c', 'grep -aoF "$@" || true', 'grep', ...words, core], { maxBuffer: 2 ** 28 })
  rmSync(core)
  return found
}

t.test('a gateway that does all it can with secrets shows none of them', async t => {
  const served = await serveSite(t, site)
  holdsNone(t, 'pages, answers, metrics', await everything(t, served))
  writeFileSync(file, readFileSync(file, 'utf8').replace('reader }', 'nowhere }'))
  served.signal('SIGHUP')
  await served.shows(/what ran before goes on/)
  writeFileSync(file, readFileSync(file, 'utf8').replace('nowhere }', 'reader }'))

  t.ok(await within(3_000, () => readFileSync(join(dir, 'audit.jsonl'), 'utf8').includes('lena')))
  holdsNone(t, 'log', served.stdout() + served.stderr())
  t.match(served.stderr(), /upstream-unreachable/, 'a log that tells what happens')
  for (const name of globSync('{audit.jsonl,users.yaml,state/**/*}', { cwd: dir })) {
    const path = join(dir, name)
    const mode = (statSync(path).mode & 0o777).toString(8)
    if (statSync(path).isDirectory()) t.equal(mode, '700', `${name} is of one account alone`)
    else {
      t.equal(mode, '600', `${name} is of one account alone`)
      holdsNone(t, name, readFileSync(path))
    }
  }

  await t.test('and opens no debugger when it is signalled', async t => {
    served.signal('SIGUSR1')
    t.equal((await askSite(site, served, '/x')).statusCode, 401)
    t.notMatch(served.stderr(), /Debugger listening/)
  })

  await t.test('and leaves none in a core dump', async t => {
    t.equal(Number.parseInt(readFileSync(`/proc/${served.pid}/coredump_filter`, 'utf8'), 16), 0)
    const dump = await crash(served.pid, served.ended)
    if (dump === undefined) return t.pass('this machine writes no dump to a file')
    t.equal(dump.toString(), '')
    const holds = `const held = ${JSON.stringify(planted)}; setInterval(() => held, 1000); console.log('ready')`
    const other: ChildProcess = spawn(process.execPath, ['--eval', holds], { cwd: dir, env: {} })
    t.teardown(() => other.kill('SIGKILL'))
    await once(other.stdout ?? other, 'data')
    t.match((await crash(other.pid ?? 0, once(other, 'exit')))?.toString(), planted.upstream, 'as another program does')
  })
})

t.test('no command shows one, as text or as JSON, whether it succeeds or fails', async t => {
  const settings = write('orthanc.json', JSON.stringify({ RegisteredUsers: { peer: planted.foreign } }))
  const omero = write('omero.txt', `omero.ldap.config=true\nomero.ldap.password=${planted.foreign}\n`)
  const password = write('password', alice.password)
  const mistyped = write('mistyped', planted.typed)
  const commands: readonly (readonly [args: readonly string[], input?: string])[] = [
    [['check', '--online', '--json', '--config', file]],
    [['explain', 'GET', '/x', '--json', '--config', file]],
    [['users', 'add', 'nora', '--config', file], `${planted.first}\n`],
    [['users', 'list', '--json', '--config', file]],
    [['ldap', 'test', 'alice', '--password-file', password, '--json', '--config', file]],
    [['ldap', 'test', 'alice', '--password-file', mistyped, '--config', file]],
    [['certs', 'show', client.p12File, '--password-file', join(dir, 'container'), '--json']],
    [['certs', 'show', client.p12File, '--password-file', mistyped]],
    [['certs', 'client', 'carla', '--password-file', join(dir, 'container'), '--json', '--config', file]],
    [['import', 'orthanc', settings, '--json']],
    [['import', 'omero', omero]],
  ]
  const env = { SALLYPORT_TRACE: '1' }
  await runCommand(['certs', 'authority', '--config', file], { cwd: dir })
  await twoAtATime(commands, async ([args, input = '']) => {
    const name = args.slice(0, 2).join(' ')
    const { stdout, stderr, exitCode } = await runCommand(args, { cwd: dir, env, input })
    t.notOk(/Unknown argument|Not enough|not built/.test(stderr), `${name} ended with ${exitCode}: ${stderr}`)
    holdsNone(t, `${name}: as text or as JSON`, stdout + stderr)
  })
})
