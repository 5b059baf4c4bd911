// biome-ignore-all lint/suspicious/noTemplateCurlyInString: shells and OMERO have placeholders like that
/**
 * The forms in which settings of OMERO are kept: what `omero config get` prints, commands, .properties files, mixed.
 */
import t from 'tap'
import { importOmero } from '../../src/import/omero.ts'
import { importSettings, importSettingsFiles, sourcesOf } from './imported.ts'

const directoryOf = (text: string, name?: string) => importSettings(text, name).config.realms.directory

const mistakesIn = (text: string, name = 'settings.txt') => {
  const imported = importOmero(sourcesOf('/etc/omero', { [name]: text }))
  if (imported.ok) throw new Error(`it was read:\n${imported.draft}`)
  return imported.mistakes
}

t.test('what "omero config get" prints is key=value, and a backslash stands for itself', async t => {
  const got = importSettings(
    'omero.ldap.base=ou=a\\2Cb, o=c \nomero.ldap.config=true\nomero.ldap.user_filter=(cn=a\\28b)\n',
  )
  t.match(got.config.realms.directory, { enabled: true, base: 'ou=a\\2Cb, o=c', userFilter: '(cn=a\\28b)' })
  t.match(got.said.join('\n'), /^note omero\.ldap\.user_filter: holds a backslash, which stands for itself/m)
  t.equal(directoryOf('omero.ldap.base=o=x\r\nomero.ldap.config=true\r\n').base, 'o=x', 'as Windows ends lines')
  t.equal(directoryOf('\ufeffomero.ldap.base=o=x').base, 'o=x', 'with a byte order mark')
})

t.test('omero config set is read as a shell takes it apart', async t => {
  const rows: Readonly<Record<string, string>> = {
    'in single quotes': "omero config set omero.ldap.user_filter '(cn=x)'",
    'in double quotes': 'omero config set omero.ldap.user_filter "(cn=x)"',
    'with backslashes': 'omero config set omero.ldap.user_filter \\(cn=x\\)',
    'in pieces': `omero config set omero.ldap.user_filter '('cn"=x"\\)`,
    'on two lines': "omero config set \\\n   omero.ldap.user_filter \\\n '(cn=x)'",
    'with a comment behind it': "omero config set omero.ldap.user_filter '(cn=x)' # who may",
    'of a path': "/opt/omero/server/OMERO.server/bin/omero config set omero.ldap.user_filter '(cn=x)'",
    'of a path from here': "bin/omero config set omero.ldap.user_filter '(cn=x)'",
    'of a path with a variable': `"$OMERODIR/bin/omero" config set omero.ldap.user_filter '(cn=x)'`,
    'with sudo': "sudo -u omero-server -i omero config set omero.ldap.user_filter '(cn=x)'",
    'with an account that is called so': "sudo -u omero -- omero config set omero.ldap.user_filter '(cn=x)'",
    'with env': "sudo env OMERODIR=/opt/omero LANG=C bin/omero config set omero.ldap.user_filter '(cn=x)'",
    'with a variable before it': "OMERODIR=/opt/omero omero config set omero.ldap.user_filter '(cn=x)'",
    'as in a file for omero load': "config set -- omero.ldap.user_filter '(cn=x)'",
    'behind a prompt': "  $ omero config set omero.ldap.user_filter '(cn=x)'",
    'with options': "omero -q config --source /x.xml set --report -- omero.ldap.user_filter '(cn=x)'",
    'behind another': "omero config set omero.db.name x && omero config set omero.ldap.user_filter '(cn=x)';",
    'a second time':
      "omero config set omero.ldap.user_filter '(cn=y)'\nomero config set omero.ldap.user_filter '(cn=x)'",
  }
  for (const [title, text] of Object.entries(rows)) t.equal(directoryOf(text).userFilter, '(cn=x)', title)
  const reader = (value: string) => directoryOf(`omero config set omero.ldap.username ${value}`).username
  t.equal(reader("'a\\b'"), 'a\\b', 'single quotes hold all')
  t.equal(reader('"a\\b\\"\\\\"'), 'a\\b"\\', 'double quotes hold most')
  t.equal(reader('"a=$ 5"'), 'a=$ 5', 'a $ that is none stays')
})

t.test('a command without a value takes the setting out, and that is told', async t => {
  const got = importSettings('omero.ldap.base=o=x\nomero config set omero.ldap.base\n')
  t.equal(got.config.realms.directory.base, 'ou=example,o=com')
  t.match(got.said.join('\n'), /^note omero\.ldap\.base: is taken out again by a command without a value/m)
  t.equal(directoryOf("omero config set omero.ldap.base ''").base, '', 'an empty value is one')
})

t.test('what a shell would put in is not looked up, and leaves the directory off', async t => {
  const on = 'omero config set omero.ldap.config true\n'
  for (const value of ['$BASE', '"${HOME}"', '"$(cat base)"', '`cat "a file"`', '~/base', '"a $1"', "$'a'"]) {
    const got = importSettings(`${on}omero config set omero.ldap.base ${value}\n`)
    t.match(got.config.realms.directory, { enabled: false, base: 'ou=example,o=com' }, value)
    t.match(got.said.join('\n'), /^decide omero\.ldap\.base: holds what a shell puts there/m, value)
    t.match(got.said.join('\n'), /^decide omero\.ldap\.config: .* by omero\.ldap\.base/m, value)
  }
  const kept = importSettings(`${on}omero config set omero.ldap.new_user_group ':query:(member=\${dn})'`)
  t.match(kept.config.realms.directory, { enabled: true, newUserGroup: { kind: 'query', query: '(member=@{dn})' } })
})

t.test('--file, append, remove, load: what is not followed is told', async t => {
  const rows: Readonly<Record<string, RegExp>> = {
    'omero config set --file f omero.ldap.base': /^decide omero\.ldap\.base: is read from another file/m,
    'omero config set omero.ldap.base -f f': /^decide omero\.ldap\.base: is read from another file/m,
    'omero config append omero.ldap.base x': /^decide omero\.ldap\.base: "omero config append" .* not understood/m,
    'omero config remove omero.ldap.base x': /^decide omero\.ldap\.base: "omero config remove" .* not understood/m,
    'omero config load more.txt': /^decide omero config: "omero config load" .* not understood/m,
  }
  for (const [command, told] of Object.entries(rows)) {
    const got = importSettings(`omero config set omero.ldap.config true\n${command}\n`)
    t.match(got.said.join('\n'), told, command)
    t.equal(got.config.realms.directory.enabled, false, command)
  }
  const web = importSettings(`omero config append omero.web.apps '"omero_iviewer"'`)
  t.match(web.said.join('\n'), /^note omero\.web\.apps: "omero config append" .* not understood/m)
  t.match(importSettings('omero config get\nomero.ldap.base=o=x\n').config.realms.directory.base, 'o=x')
})

t.test('what OMERO would refuse is a problem, and leaves the directory off', async t => {
  const rows: Readonly<Record<string, RegExp>> = {
    'omero config set omero.ldap.base=o=x': /^problem omero\.ldap\.base: is written with =/m,
    'omero config set omero.ldap.base o=a b': /^problem omero\.ldap\.base: is followed by several words/m,
    'omero config set omero.ldap.base --what x': /^problem omero\.ldap\.base: has an option/m,
  }
  for (const [command, told] of Object.entries(rows)) {
    const got = importSettings(`omero config set omero.ldap.config true\n${command}\n`)
    t.match(got.said.join('\n'), told, command)
    t.equal(got.config.realms.directory.enabled, false, command)
  }
  const secret = importSettings(
    'omero config set omero.ldap.password=s3cret\nomero config set omero.ldap.password s3cret s3cret',
  )
  t.match(secret.said.join('\n'), /^problem omero\.ldap\.password: is written with =/m)
})

t.test('a .properties file is read as Java reads it', async t => {
  const text = [
    '# made by hand',
    '! and by foot',
    'omero.ldap.config = true',
    '  omero.ldap.base : ou=people,\\',
    '      o=ex\\u00e4mple',
    'omero.ldap.username cn=reader',
    'omero.ldap.user_filter=(cn=a\\\\28b)',
    'omero.ldap.user_mapping=omeName=uid',
    'omero.ldap.user_mapping\\',
    '   =omeName\\=sAMAccountName',
    'omero.ldap.referral',
    '',
  ].join('\n')
  const got = importSettings(text, 'omero.properties')
  t.match(got.config.realms.directory, {
    enabled: true,
    base: 'ou=people,o=exämple',
    username: 'cn=reader',
    userFilter: '(cn=a\\28b)',
    userMapping: new Map([['omeName', 'sAMAccountName']]),
  })
  t.match(got.said.join('\n'), /^note omero\.ldap\.user_mapping: stands there several times; the last one counts/m)
  t.notMatch(got.said.join('\n'), /backslash/)
  t.equal(got.decisions.find(({ option }) => option === 'omero.ldap.user_mapping')?.line, 9)
})

t.test('a file of Java is known by its lines where its name does not say so', async t => {
  for (const line of [
    '# a comment',
    'omero.db.name = x',
    'omero.db.name: x',
    'omero.db.name x',
    'omero.db.name=\\u0041',
  ])
    t.equal(directoryOf(`${line}\nomero.ldap.username=o\\=x`).username, 'o=x', line)
  t.equal(directoryOf('omero.db.name=a\\\n  b\nomero.ldap.username=o\\=x').username, 'o=x', 'a line that goes on')
  t.equal(directoryOf('omero.ldap.username=o\\=x').username, 'o\\=x', 'what OMERO prints')
  t.equal(directoryOf('omero.ldap.username=o\\=x', 'a.properties').username, 'o=x', 'by its name')
})

t.test('a backslash that can be read in two ways leaves the directory off, one that Java drops is told', async t => {
  const text = 'omero.ldap.config=true\nomero.ldap.user_filter=(cn=a\\28b)\n'
  const doubtful = importSettings(`# printed, and then written upon\n${text}`)
  t.match(doubtful.config.realms.directory, { enabled: false, userFilter: '(cn=a28b)' })
  t.match(
    doubtful.said.join('\n'),
    /^decide omero\.ldap\.user_filter: holds a backslash and was read as Java reads it/m,
  )
  t.match(doubtful.said.join('\n'), /^decide omero\.ldap\.config: .* by omero\.ldap\.user_filter/m)
  const named = importSettings(text, 'omero.properties')
  t.match(named.config.realms.directory, { enabled: true, userFilter: '(cn=a28b)' })
  t.match(named.said.join('\n'), /^decide omero\.ldap\.user_filter: holds a backslash that Java drops/m)
  t.match(importSettings(text).config.realms.directory, { enabled: true, userFilter: '(cn=a\\28b)' })
})

t.test('files of all forms are one configuration; the last one counts', async t => {
  const got = importSettingsFiles({
    'get.txt': 'omero.ldap.base=o=x\nomero.ldap.config=false\n',
    'set.sh': '# what was changed later\nomero config set omero.ldap.config true\n',
    'site.properties': 'omero.ldap.urls = ldap://localhost:1389\n',
  })
  t.match(got.config.realms.directory, { enabled: true, base: 'o=x', urls: ['ldap://localhost:1389'] })
  t.match(got.draft, /^# A draft, made by "sallyport import omero" from get\.txt, set\.sh, site\.properties\./)
  t.match(
    got.decisions.find(({ option, kind }) => option === 'omero.ldap.config' && kind === 'note'),
    { file: '/etc/omero/set.sh', line: 2 },
  )
})

t.test(
  'a line that is none of these is a mistake with its line and the cure, and says nothing of what it holds',
  async t => {
    const rows: readonly (readonly [text: string, line: number, said: RegExp])[] = [
      [
        'omero.ldap.config=true\nDear Bob, the password is s3cret\n',
        2,
        /neither key=value .* nor "omero config set KEY VALUE", nor/,
      ],
      ['ldaps://s3cret:389', 1, /neither key=value/],
      ['export S3CRET=s3cret', 1, /neither key=value/],
      ['\nomero admin start', 2, /only "omero config" is read; take this line out/],
      ['omero config sett a s3cret', 1, /of "omero config" only set is read/],
      ['omero config set', 1, /names no property/],
      ["omero config set 'a s3cret' x", 1, /no name that OMERO takes/],
      ['omero config set omero.ldap.user_filter (cn=s3cret)', 1, /put the value into single quotes/],
      ['omero config set a b | tee s3cret', 1, /one command on a line/],
      ['omero config set a b && rm s3cret', 1, /another command follows/],
      ["omero config set a 's3cret\nomero.ldap.config=true", 1, /a ' is never closed; nothing behind it was read/],
      ['omero config set a "s3cret', 1, /a " is never closed/],
      ['omero config set a "$(s3cret', 1, /is never closed/],
      ['# x\nomero.ldap.base=\\u00zz', 2, /a \\u is followed by four hexadecimal digits/],
      ['=s3cret', 1, /neither key=value/],
    ]
    for (const [text, line, said] of rows) {
      const [first, ...others] = mistakesIn(text)
      t.match(first, { file: '/etc/omero/settings.txt', line, column: 1, message: said }, text)
      t.same(others, [], text)
      t.notMatch(first?.message ?? '', /s3cret/i, text)
    }
  },
)

t.test('all mistakes are told at once, up to twenty in a file', async t => {
  t.same(
    mistakesIn('a b\nomero.ldap.config=true\nc d').map(({ line }) => line),
    [1, 3],
  )
  const many = mistakesIn('no setting\n'.repeat(1000))
  t.equal(many.length, 21)
  t.match(many.at(-1), { line: 21, message: /more lines like these/ })
})

t.test("OMERO's own config.xml is refused with what to do instead", async t => {
  const xml = '<?xml version="1.0"?>\n<icegrid><properties id="default"/></icegrid>'
  const [mistake, ...others] = mistakesIn(xml, 'config.xml')
  t.match(mistake, { line: 1, column: 1, message: /"omero config get > FILE"/ })
  t.same(others, [])
})
