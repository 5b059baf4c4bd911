/**
 * `sallyport import omero`: the draft on stdout or in a new file, what a person must decide on stderr; the same command
 * as for Orthanc (import.test.ts), with other files.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { startAuthority } from '../fixture/authority.ts'
import { program, runCommand } from '../fixture/command.ts'

const printed = `omero.db.pass=s3cret
omero.ldap.base=ou=people,o=example
omero.ldap.config=true
omero.ldap.new_user_group=:query:(member=@{dn})
omero.ldap.password=s3cret
omero.ldap.sync_on_login=true
omero.ldap.urls=ldaps://ldap.example.org
omero.ldap.username=cn=reader,o=example
omero.security.trustStore=/etc/omero/trust.jks
omero.security.trustStorePassword=s3cret
`

function place(files: Readonly<Record<string, string>>) {
  const dir = t.testdir()
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content)
  return dir
}

t.test('the draft goes to stdout, the decisions with file and line to stderr', async t => {
  const cwd = place({ 'get.txt': printed })
  const { exitCode, stdout, stderr } = await runCommand(['import', 'omero', 'get.txt'], { cwd })
  t.equal(exitCode, 0, stderr)
  t.match(stdout, /^# A draft, made by "sallyport import omero" from get\.txt/)
  t.match(stdout, /^ {4}enabled: true # omero\.ldap\.config$/m)
  t.match(stderr, /^To be decided or done:$/m)
  t.match(stderr, /^ {2}get\.txt:5: omero\.ldap\.password: is not copied: write it into secrets\/ldap/m)
  t.match(stderr, /^To be changed in the configuration of OMERO:$/m)
  t.match(stderr, /^Good to know:$/m)
  t.notMatch(stdout + stderr, /s3cret/)
})

t.test('files of several forms are one configuration, and standard input is a file too', async t => {
  const cwd = place({
    'get.txt': printed,
    'later.sh': "sudo -u omero bin/omero config set omero.ldap.base 'o=later'\n",
    'site.properties': 'omero.security.ignore_case : true\n',
  })
  const several = await runCommand(['import', 'omero', 'get.txt', 'later.sh', 'site.properties'], { cwd })
  t.equal(several.exitCode, 0, several.stderr)
  t.match(several.stdout, /^ {4}base: o=later # omero\.ldap\.base$/m)
  t.match(several.stdout, /^ {2}ignoreCase: true/m)
  // As a shell does it: runCommand gives a socket, which has no name.
  const line = 'cat get.txt | "$1" "$2" import omero /dev/stdin'
  const piped = spawnSync('sh', ['-c', line, 'sh', process.execPath, program], { cwd, encoding: 'utf8' })
  t.equal(piped.status, 0, piped.stderr)
  t.match(piped.stdout, /base: ou=people,o=example/)
})

t.test('variables of the environment are not looked at', async t => {
  const cwd = place({
    'set.sh': 'omero config set omero.ldap.base "$MY_SECRET"\nomero config set omero.ldap.config true\n',
  })
  const { exitCode, stdout, stderr } = await runCommand(['import', 'omero', 'set.sh'], {
    cwd,
    env: { MY_SECRET: 's3cret' },
  })
  t.equal(exitCode, 0)
  t.match(stdout, /enabled: false/)
  t.notMatch(stdout + stderr, /s3cret/)
})

t.test('--out writes a new file, never replaces one, and goes by the state and the authority of here', async t => {
  const cwd = place({ 'get.txt': printed })
  mkdirSync(join(cwd, 'config'))
  const args = ['import', 'omero', 'get.txt', '--out', 'config/sallyport.yaml']
  const first = await runCommand(args, { cwd })
  t.equal(first.exitCode, 0, first.stderr)
  t.equal(first.stdout, 'draft written: config/sallyport.yaml\n')
  const file = join(cwd, 'config', 'sallyport.yaml')
  const written = readFileSync(file, 'utf8')
  const again = await runCommand(args, { cwd })
  t.equal(again.exitCode, 1)
  t.match(again.stderr, /sallyport\.yaml exists and is not overwritten/)
  t.equal(readFileSync(file, 'utf8'), written)
  const loaded = loadConfig(file)
  const config = loaded.ok ? loaded.config : loaded.draft?.config
  t.equal(config?.state, join(cwd, 'state'))
  t.equal(config?.authority.dir, join(cwd, 'certs', 'authority'))
})

t.test('--json holds draft and decisions in one object, and nothing goes to stderr', async t => {
  const cwd = place({ 'get.txt': printed })
  const { stdout, stderr } = await runCommand(['import', 'omero', 'get.txt', '--json'], { cwd })
  t.equal(stderr, '')
  const said = JSON.parse(stdout)
  t.match(said, { ok: true, draft: /^# A draft/ })
  t.match(
    said.decisions.find(({ option }: { option: string }) => option === 'omero.ldap.password'),
    { kind: 'decide', file: join(cwd, 'get.txt'), line: 5 },
  )
})

t.test('check takes a draft, misses only the files that it names, and finds it fine once they are there', async t => {
  const authority = await startAuthority(t)
  const server = await authority.server(['localhost'])
  const cwd = place({ 'get.txt': printed })
  await runCommand(['import', 'omero', 'get.txt', '--out', 'sallyport.yaml'], { cwd })
  const check = ['check', '--config', 'sallyport.yaml', '--json']
  const before = await runCommand(check, { cwd })
  t.equal(before.exitCode, 2)
  const { problems } = JSON.parse(before.stdout)
  t.ok(problems.length > 0)
  for (const { message } of problems) t.match(message, /there is no file/)

  mkdirSync(join(cwd, 'certs'))
  mkdirSync(join(cwd, 'secrets'))
  const mode = { mode: 0o600 }
  writeFileSync(join(cwd, 'certs', 'server.pem'), server.chainPem)
  writeFileSync(join(cwd, 'certs', 'server.key'), server.keyPem, mode)
  writeFileSync(join(cwd, 'certs', 'ldap-ca.pem'), readFileSync(authority.caFile))
  writeFileSync(join(cwd, 'secrets', 'ldap'), 'a-password\n', mode)
  const after = await runCommand(check.slice(0, -1), { cwd })
  t.match({ exitCode: after.exitCode, stderr: after.stderr }, { exitCode: 0, stderr: '' })
  t.match(after.stdout, /^sallyport\.yaml is fine$/m)
})

t.test('what OMERO itself would not take is left out, told, and exit code 1', async t => {
  const cwd = place({ 'get.txt': 'omero.ldap.config=true\nomero.ldap.user_filter=(a=b)(c=d)\n' })
  const { exitCode, stdout, stderr } = await runCommand(['import', 'omero', 'get.txt'], { cwd })
  t.equal(exitCode, 1)
  t.match(stdout, /enabled: false/)
  t.match(
    stderr,
    /^OMERO itself would not take this; the draft leaves it out:\n {2}get\.txt:2: omero\.ldap\.user_filter: /m,
  )
  t.match(stderr, /^error: OMERO itself would not take one thing in there$/m)
})

t.test('what cannot be read makes nothing, and exit code 2', async t => {
  const cwd = place({
    'broken.txt': 'omero.ldap.config=true\nthe password is s3cret\n',
    'config.xml': '<icegrid/>\n',
  })
  mkdirSync(join(cwd, 'folder'))
  const rows: readonly (readonly [args: readonly string[], said: RegExp])[] = [
    [
      ['broken.txt', 'config.xml'],
      /^broken\.txt:2:1: is neither key=value .*\nconfig\.xml:1:1: this is XML, .*"omero config get > FILE".*\nerror: these are not the settings of an OMERO; nothing was made$/m,
    ],
    [['none.txt'], /none\.txt cannot be read: there is no such file or folder/],
    [['folder'], /folder is a folder/],
    [[], /Not enough non-option arguments/],
  ]
  for (const [args, said] of rows) {
    const got = await runCommand(['import', 'omero', ...args, '--out', 'x.yaml'], { cwd })
    t.equal(got.exitCode, 2, args.join(' '))
    t.equal(got.stdout, '')
    t.match(got.stderr, said)
    t.notMatch(got.stderr, /s3cret/)
  }
  t.notOk(existsSync(join(cwd, 'x.yaml')))
  const machine = await runCommand(['import', 'omero', 'broken.txt', '--json'], { cwd })
  t.match(JSON.parse(machine.stdout), { ok: false, problems: [{ line: 2, column: 1, message: /neither/ }] })
})

t.test('import alone says what it reads', async t => {
  const { exitCode, stderr } = await runCommand(['import'])
  t.equal(exitCode, 2)
  t.match(stderr, /sallyport import orthanc FILE, sallyport import omero FILE/)
})
