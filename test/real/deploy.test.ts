// config/deploy is what it says: the unit is taken by systemd, the image runs on a read-only root as nobody in particular.
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { get } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { type CommandOptions, runCommand, startCommand } from '../fixture/command.ts'
import { requireReal, requireRoot } from '../fixture/real.ts'
import { installs } from './npm.ts'

const checkout = resolve(import.meta.dirname, '../..')
const deploy = join(checkout, 'config/deploy')
const read = (name: string) => readFileSync(join(deploy, name), 'utf8')

/** Instruction and argument, in their order; continued lines are one. */
const instructions = read('Dockerfile')
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter(line => line !== '')
  .map(line => /^([A-Z]+) +(.*)$/.exec(line)?.slice(1) ?? ['?', line])
const argumentsOf = (word: string) => instructions.filter(([name]) => name === word).map(([, rest = '']) => rest)
const copied = argumentsOf('COPY').map(rest => rest.split(' '))
const program: string[] = JSON.parse(argumentsOf('ENTRYPOINT')[0] ?? '[]')
const home = argumentsOf('WORKDIR').at(-1) ?? ''
const variables = argumentsOf('ENV').join(' ')
const uid = Number.parseInt(argumentsOf('USER')[0] ?? '0', 10)

const drainOf = (yaml: string) => {
  const loaded = parseConfig(yaml, '/var/lib/sallyport/config')
  t.same(loaded.ok ? [] : loaded.problems, [])
  return loaded.ok ? loaded.config.drain / 1000 : Number.NaN
}

function folder(t: Pick<Test, 'teardown'>): string {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-deploy-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

t.test('the README names exactly the files that lie there', async t => {
  const named = [...read('README.md').matchAll(/^\| *`([^`]+)` *\|/gm)].map(([, name]) => name)
  const there = readdirSync(deploy, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name !== 'README.md')
    .map(entry => join(entry.parentPath, entry.name).slice(deploy.length + 1))
  t.same(named.toSorted(), there.toSorted())
})

t.test('the unit', async t => {
  const unit = read('sallyport.service')
  const values = (key: string) => [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value)

  t.test('gives the gateway one capability, its state to write to, and time to drain', async t => {
    for (const [key, value] of Object.entries({
      User: 'sallyport',
      AmbientCapabilities: 'CAP_NET_BIND_SERVICE',
      CapabilityBoundingSet: 'CAP_NET_BIND_SERVICE',
      NoNewPrivileges: 'yes',
      ProtectSystem: 'strict',
      PrivateTmp: 'yes',
      LimitCORE: '0',
      Restart: 'on-failure',
      ExecReload: '/bin/kill -HUP $MAINPID',
      WorkingDirectory: home,
    }))
      t.same(values(key), [value], key)
    t.same(values('ReadWritePaths'), [], 'StateDirectory is all')
    t.ok(
      Number(values('TimeoutStopSec')[0]) > drainOf(read('config/sallyport.yaml')),
      'it is not killed while it drains',
    )
    const [, file = ''] = /^\/usr\/bin\/node \/opt\/sallyport\/(\S+) serve$/.exec(values('ExecStart')[0] ?? '') ?? []
    t.ok(existsSync(join(checkout, file)), file)
  })

  t.test('is taken by systemd, and rated as safe', async t => {
    if (!requireReal(t, ['systemd-analyze'])) return
    // Where Node lies on this machine is not what is asked.
    const file = join(folder(t), 'sallyport.service')
    writeFileSync(file, unit.replace('/usr/bin/node', process.execPath))
    const analyze = (...args: string[]) => {
      const { status, stdout, stderr } = spawnSync('systemd-analyze', [...args, file], { encoding: 'utf8' })
      return { status, said: `${stdout}${stderr}` }
    }
    t.same(analyze('verify', '--man=no'), { status: 0, said: '' })
    const rated = analyze('security', '--offline=true', '--threshold=20', '--no-pager')
    t.equal(rated.status, 0, rated.said)
    t.match(rated.said, /Overall exposure level for sallyport.service: [01]\.\d OK/)
  })
})

t.test('the composition', async t => {
  const { services, networks, volumes } = parse(read('compose.yaml'))
  const { sallyport, orthanc } = services

  t.test('leaves no way to Orthanc but through the gateway', async t => {
    t.equal(orthanc.ports, undefined)
    t.same(
      orthanc.networks.filter((name: string) => networks[name].internal !== true),
      [],
    )
    t.ok(sallyport.networks.some((name: string) => orthanc.networks.includes(name)))
    const { upstreams } = parse(read('config/sallyport.yaml'))
    t.equal(upstreams.orthanc.url, 'http://orthanc:8042', 'its name on that network')
  })

  t.test('takes from the gateway what it does not need', async t => {
    t.match(sallyport, { read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] })
    t.equal(sallyport.ulimits.core, 0)
    t.ok(Number.parseInt(sallyport.stop_grace_period, 10) > drainOf(read('config/sallyport.yaml')))
  })

  t.test('names only what exists, and publishes what the gateway listens on', async t => {
    const context = resolve(deploy, sallyport.build.context)
    t.equal(context, checkout)
    t.ok(existsSync(join(context, sallyport.build.dockerfile)))
    for (const service of [sallyport, orthanc])
      for (const volume of service.volumes) {
        const [source = ''] = volume.split(':')
        t.ok(source.startsWith('.') ? existsSync(join(deploy, source)) : source in volumes, volume)
      }
    const { listeners } = parse(read('config/sallyport.yaml'))
    const ports = (list: readonly string[]) => list.map(one => one.split(':').at(-1)).toSorted()
    const bound = Object.values<{ bind: string }>(listeners).map(({ bind }) => bind)
    t.same(ports(sallyport.ports), ports(bound))
    t.same(argumentsOf('EXPOSE')[0]?.split(' ').toSorted(), ports(bound))
  })
})

/** What the Dockerfile makes, and around it what a container has: this machine's /usr, read-only. */
function makeImage(t: Test): string | undefined {
  const root = folder(t)
  chmodSync(root, 0o755)
  const place = join(root, argumentsOf('WORKDIR')[0] ?? '')
  for (const dir of [place, 'usr', 'node', 'proc', 'dev', 'tmp', 'etc'].map(name => resolve(root, name)))
    mkdirSync(dir, { recursive: true })
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(root, name))
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1 localhost\n')
  for (const [name = '', argument = ''] of instructions) {
    if (name === 'COPY') {
      const words = argument.split(' ')
      const target = words.pop() ?? ''
      for (const word of words)
        cpSync(join(checkout, word), join(place, target === './' ? word : target), { recursive: true })
    } else if (name === 'RUN' && argument.startsWith('npm ')) {
      const [, ...args] = argument.replace(/ --cache .*/, '').split(' ')
      t.same(args, ['ci', '--omit=dev', '--ignore-scripts'])
      if (!installs(t, place, ...args)) return undefined
    }
  }
  for (const dir of [home, join(home, 'config')]) {
    mkdirSync(join(root, dir), { recursive: true })
    chmodSync(join(root, dir), 0o700)
    chownSync(join(root, dir), uid, uid)
  }
  return root
}

/** A shell that makes the container, and becomes the program in it. */
const containment = `set -e
root=$1 node=$2; shift 2
mount --bind "$root" "$root"
keep() { mount --rbind "$1" "$root$2"; mount -o remount,bind,ro "$root$2"; }
keep /usr /usr
keep "$node" /node
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$root${home}" "$root${home}"
keep "$root${home}/config" ${home}/config
mount -o remount,bind,ro "$root"
exec chroot "$root" setpriv --reuid ${uid} --regid ${uid} --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \\
  --pdeathsig KILL -- env -i -C ${home} PATH=/node:/usr/bin ${variables} "$@"`

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}

t.test('what the Dockerfile makes', async t => {
  t.test('is built from what is sent to the builder, and that is no key, no state, no configuration', async t => {
    const sent = read('Dockerfile.dockerignore')
      .split('\n')
      .filter(line => line !== '' && !line.startsWith('#'))
    const wanted = copied.flatMap(words => words.slice(0, -1))
    t.same(sent[0], '*')
    t.same(sent.slice(1).toSorted(), wanted.map(name => `!${name}`).toSorted())
    t.notOk(
      wanted.some(name => /^(\.|certs|config|state)/.test(name)),
      `${wanted}`,
    )
    t.ok(uid > 0, 'and does not run as root')
  })

  t.test('serves on a read-only root, without a capability, and is found healthy', async t => {
    if (!requireReal(t, ['npm', 'unshare', 'setpriv', 'chroot', 'mount']) || !requireRoot(t, 'mounts')) return
    const root = makeImage(t)
    if (root === undefined) return
    const admin = await freePort()
    const forTest = (text: string) =>
      text
        .replaceAll('9090', `${admin}`)
        .replaceAll(/bind: 0\.0\.0\.0:\d+/g, 'bind: 127.0.0.1:0')
        .replace(/\n.*publicUrl: .*/, '')
    writeFileSync(join(root, home, 'config/sallyport.yaml'), forTest(read('config/sallyport.yaml')))
    const shell = [
      '--mount',
      '--propagation',
      'private',
      'sh',
      '-c',
      containment,
      'sh',
      root,
      dirname(process.execPath),
    ]
    const options: CommandOptions = { cwd: root, node: '/usr/bin/env', file: 'unshare', input: 'alice-password\n' }
    const run = (...args: string[]) => runCommand([...shell, ...args], options)

    const probe = await run(
      'sh',
      '-c',
      'touch /opt/sallyport/x; touch config/x; touch x && rm x && id -u; grep CapEff /proc/self/status',
    )
    t.match(probe.stderr, /\/opt\/sallyport\/x.*Read-only[\s\S]*config\/x.*Read-only/, 'the container is one')
    t.equal(probe.stdout, `${uid}\nCapEff:\t0000000000000000\n`)
    for (const args of [
      ['certs', 'authority'],
      ['certs', 'server', 'localhost'],
      ['users', 'add', 'alice', '--group', 'radiology'],
      ['check'],
    ]) {
      const done = await run(...program, ...args)
      t.equal(done.exitCode, 0, `${args.join(' ')}: ${done.stdout}${done.stderr}`)
    }

    const command: string[] = JSON.parse(argumentsOf('CMD')[0] ?? '[]')
    const running = startCommand(t, [...shell, ...program, ...command], options)
    const [, port = ''] = await running.shows(/^listening https:\/\/127\.0\.0\.1:(\d+) \(web\)$/m)
    const ca = readFileSync(join(root, home, 'certs/authority/ca.pem'))
    const headers = { accept: 'text/html', host: `localhost:${port}` }
    const ask = get({ host: '127.0.0.1', servername: 'localhost', port, ca, path: '/-/login', agent: false, headers })
    const [answer] = await once(ask, 'response')
    t.equal(answer.statusCode, 200)
    t.match(await text(answer), /<input[^>]+type="password"/)

    const [, health = '[]'] = /CMD (\[.*\])$/.exec(argumentsOf('HEALTHCHECK')[0] ?? '') ?? []
    const healthy = (): Promise<{ exitCode: number | null }> => run(...JSON.parse(forTest(health)))
    t.match(await healthy(), { exitCode: 0 })
    running.signal('SIGTERM')
    t.match(await running.ended, { exitCode: 0 }, 'and it stops when it is told to')
    t.match(await healthy(), { exitCode: 1 }, 'which is seen')
  })
})
