// Every command explains itself, and what is no command is refused with exit code 2.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { runCommand, twoAtATime } from '../fixture/command.ts'

const commands = ['serve', 'demo', 'check', 'explain', 'certs', 'users', 'import', 'audit', 'viewer']
const inside = [
  ['certs', 'server'],
  ['users', 'add'],
  ['import', 'orthanc'],
  ['audit', 'search'],
  ['viewer', 'install'],
]

t.test('--help of every command is its usage, on stdout, with exit code 0', async t => {
  const all = await runCommand(['--help'])
  t.equal(all.exitCode, 0)
  for (const name of commands) t.match(all.stdout, new RegExp(`^ +sallyport ${name} `, 'm'))
  await twoAtATime([...commands.map(name => [name]), ...inside], async words => {
    const { exitCode, stdout, stderr } = await runCommand([...words, '--help'])
    t.equal(exitCode, 0, `${words.join(' ')}: ${stderr}`)
    t.match(stdout, `sallyport ${words.join(' ')}`)
    t.match(stdout, '--json')
  })
})

t.test('what is unknown is refused with exit code 2, on stderr', async t => {
  const dir = t.testdir()
  const cases: readonly (readonly [args: readonly string[], told: RegExp])[] = [
    [[], /Name a command/],
    [['nonsense'], /nonsense/],
    [['serv'], /Did you mean serve/],
    [['serve', '--confg', 'x'], /confg/],
    [['serve', 'something'], /something/],
    [['serve', '--config'], /config/],
    [['serve', '--config', 'a', '--config', 'b'], /more than once/],
    [['users', 'nonsense'], /nonsense/],
    [['demo', '--port', '99999'], /99999/],
    [['demo', '--slices', 'many'], /slices/],
  ]
  await twoAtATime(cases, async ([args, told]) => {
    const { exitCode, stdout, stderr } = await runCommand(args, { cwd: dir })
    t.equal(exitCode, 2, args.join(' '))
    t.equal(stdout, '')
    t.match(stderr, told)
    t.notMatch(stderr, /^ {4}at /m, 'no stack')
  })
})

t.test('--version is that of package.json, and of no command', async t => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  } // ours
  t.match(await runCommand(['--version']), { exitCode: 0, stdout: `${version}\n`, stderr: '' })
  t.match(JSON.parse((await runCommand(['--version', '--json'])).stdout), { version, node: /^2\d\./ })
  t.match(await runCommand(['serve', '--version']), { exitCode: 2, stderr: /version/ })
})
