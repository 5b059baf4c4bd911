// biome-ignore-all lint/suspicious/noTemplateCurlyInString: shells and OMERO have placeholders like that
/**
 * Settings that somebody else wrote: they get no secret out, no control characters onto a terminal, no other directory
 * than the one they name, and not more time than their size is worth.
 */
import t from 'tap'
import { importOmero } from '../../src/import/omero.ts'
import { growth } from './growth.ts'
import { importSettings, importSettingsFiles, sourcesOf } from './imported.ts'

/** Everything that a decision may be about. */
const keys = [
  ...['urls', 'username', 'password', 'base', 'user_filter', 'user_mapping', 'group_filter', 'group_mapping'],
  ...[
    'new_user_group',
    'new_user_group_owner',
    'sync_on_login',
    'referral',
    'connect_timeout',
    'read_timeout',
    'config',
  ],
].map(last => `omero.ldap.${last}`)
const others = [
  ...[
    'ignore_case',
    'password_provider',
    'password_required',
    'login_failure_throttle_count',
    'trustStore',
    'keyStore',
  ],
].map(last => `omero.security.${last}`)
const more = [
  'omero.web.application_server.host',
  'omero.web.application_server.port',
  'omero.glacier2.IceSSL.CertFile',
  'omero.glacier2.IceSSL.Ciphers',
  'omero.glacier2.IceSSL.Protocols',
]
const all = [...keys, ...others, ...more]

const control = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/
const evil = 'a\\u001b[31m\\n# 9. omero.ldap.config: all is well\\u202e\\u2028\\u0000'
const shapes = [
  evil,
  `(cn=${evil})`,
  `ldaps://${evil}`,
  `ldaps://h/${evil}`,
  `ldaps://h/%1b%0a%e2%80%ae`,
  `omeName=${evil}`,
  `omeName=cn,x${evil}=y`,
  `:${evil}:x`,
  `:query:(member=${evil})`,
  `:query:(member=@{${evil}})`,
  `:bean:${evil}`,
]

t.test('control characters reach neither the terminal nor the draft, and every draft loads', async t => {
  for (const key of all) {
    for (const shape of shapes) {
      const text = `# Java's\nomero.ldap.config=true\nomero.ldap.urls=ldaps://a\nomero.ldap.base=o=x\n${key}=${shape}\n`
      const { decisions, draft } = importSettings(text)
      for (const { option, message } of decisions)
        if (control.test(option + message) || /\n/.test(option + message))
          t.fail(`${key}=${shape}: ${JSON.stringify(message)}`)
      if (control.test(draft) || /^# 9\./m.test(draft)) t.fail(`${key}=${shape}: ${JSON.stringify(draft)}`)
    }
  }
  const { draft } = importSettingsFiles({ 'o\u001b[31m\n# x.properties': 'omero.ldap.base=o=x' })
  t.notMatch(draft, control)
  t.notMatch(draft, /^# x/m)
})

t.test('a value with control characters is the same when the draft is read again', async t => {
  const got = importSettings('omero.ldap.base=o=\\u001b\\u202e\\n# x', 'a.properties')
  t.equal(got.config.realms.directory.base, 'o=\u001b\u202e\n# x')
})

t.test('values that look like YAML stay values', async t => {
  for (const value of [
    '{ file: x }',
    '[a]',
    '&a x',
    '*a',
    '!x',
    '# x',
    'a: b',
    'yes',
    '1',
    '"',
    "'",
    '- x',
    '? x',
    '%x',
    '@x',
  ]) {
    const got = importSettings(`omero.ldap.username=${value}\nomero.ldap.new_user_group=${value}`)
    t.equal(got.config.realms.directory.username, value, value)
    t.same(got.config.realms.directory.newUserGroup, { kind: 'literal', group: value }, value)
  }
})

t.test('no value is told, but for what is no secret', async t => {
  // The fixture fails where a draft or a decision has the secret in it.
  const odd = [
    ...others,
    ...more,
    'omero.ldap.password',
    'omero.ldap.config',
    'omero.ldap.read_timeout',
    'omero.ldap.sync_on_login',
  ]
  for (const key of odd.filter(
    one => !/trustStore|keyStore|IceSSL|password_provider|application_server\.host/.test(one),
  ))
    importSettings(`omero.ldap.config=true\nomero.ldap.username=cn=r\n${key}=s3cret\n`)
  importSettings('omero -w s3cret config set omero.ldap.password s3cret')
  importSettings('omero.ldap.password=s3cret\nomero.ldap.password=s3cret2\nomero.ldap.password=********')
  importSettings('SECRET=s3cret omero config set omero.db.pass s3cret')
  t.pass('none was')
})

t.test('names like those of every object are names like others', async t => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']) {
    const got = importSettings(
      `${name}=1\nomero config set ${name} 2\nomero config ${name === 'x' ? '' : 'set'} omero.ldap.referral ${name}\nomero.ldap.new_user_group=:${name}:x\nomero.security.password_provider=${name}\nomero.ldap.user_mapping=omeName=uid,${name}=cn`,
    )
    t.equal(got.config.realms.directory.enabled, false, name)
    t.same(got.config.realms.directory.userMapping, new Map([['omeName', 'uid']]), name)
    const verb = importOmero(sourcesOf('/', { f: `omero config ${name} a b` }))
    t.match(verb, { ok: false, mistakes: [{ line: 1 }] }, name)
  }
})

t.test('a setting that cannot be read is never replaced by a default that lets others in', async t => {
  const decisive = [
    'urls',
    'username',
    'base',
    'user_filter',
    'user_mapping',
    'group_filter',
    'group_mapping',
    'new_user_group',
  ]
  for (const last of decisive) {
    const set = `omero config set omero.ldap.${last}`
    for (const command of [
      `${set} $X`,
      `${set} -f x`,
      `${set} a b c`,
      `${set}=x`,
      `omero config append omero.ldap.${last} x`,
    ]) {
      const got = importSettings(`omero config set omero.ldap.config true\n${command}`)
      t.equal(got.config.realms.directory.enabled, false, command)
      t.match(got.said.join('\n'), new RegExp(`^decide omero\\.ldap\\.config: .*omero\\.ldap\\.${last}`, 'm'), command)
    }
  }
  for (const more of ['omero config load x', 'omero config set omero.security.password_provider $X'])
    t.equal(
      importSettings(`omero config set omero.ldap.config true\n${more}`).config.realms.directory.enabled,
      false,
      more,
    )
})

t.test('eight times as much takes about eight times as long, not sixty-four', async t => {
  const numbered = (count: number, line: (index: number) => string) => Array.from({ length: count }, (_, i) => line(i))
  const rows: Readonly<Record<string, readonly [count: number, text: (count: number) => string]>> = {
    'a setting on each line': [2000, count => numbered(count, i => `omero.a${i}=${i}`).join('\n')],
    'the same setting on each line': [2000, count => numbered(count, i => `omero.ldap.base=${i}`).join('\n')],
    'a command on each line': [1000, count => numbered(count, i => `omero config set omero.a${i} '${i}'`).join('\n')],
    'commands on one line': [1000, count => numbered(count, i => `omero config set omero.a${i} '${i}'`).join('; ')],
    'commands that reach into the next line': [1000, count => "omero config set a '\n'; ".repeat(count)],
    'a command of many words': [2000, count => `omero config set a ${'b '.repeat(count)}`],
    'a word of many pieces': [2000, count => `omero config set a ${`''""\\a`.repeat(count)}`],
    'quotes without end': [2000, count => `omero config set a ${`'"`.repeat(count)}'`],
    'substitutions without end': [2000, count => `omero config set a ${'$('.repeat(count)}`],
    'lines with substitutions without end': [1000, count => 'omero config set a $(\n'.repeat(count)],
    'options without end': [2000, count => `sudo ${'-x '.repeat(count)}omero config set a b`],
    'blanks without end': [8000, count => `omero${' '.repeat(count)}x${' '.repeat(count)}`],
    'a line that goes on': [2000, count => `omero.a=${'x\\\n '.repeat(count)}`],
    'backslashes without end': [8000, count => `omero.a=${'\\'.repeat(count)}x`],
    'placeholders without end': [2000, count => `omero.ldap.base=${'${a${'.repeat(count)}`],
    'addresses without end': [1000, count => `omero.ldap.urls=${numbered(count, i => `ldap://h${i}`).join(' ')}`],
    'a mapping without end': [
      1000,
      count => `omero.ldap.user_mapping=omeName=cn,${numbered(count, i => `k${i}=v`).join(',')}`,
    ],
    'a filter without end': [2000, count => `omero.ldap.user_filter=(&${'(a=b)'.repeat(count)})`],
    'a filter without end in it': [4000, count => `omero.ldap.user_filter=${'('.repeat(count)}`],
    'mistakes without end': [2000, count => 'no setting\n'.repeat(count)],
  }
  for (const [title, [count, text]] of Object.entries(rows)) {
    const work = (size: number) => {
      const sources = [{ file: '/o.txt', text: text(size) }]
      return () => void importOmero(sources)
    }
    const ratio = growth(work(count), work(count * 8))
    t.ok(ratio < 28, `${title}: ${ratio.toFixed(1)} times as long`)
  }
})

t.test('a name, a value and a line of some megabytes are read like others', async t => {
  const long = 'x'.repeat(4_000_000)
  for (const text of [
    `# x\n${long}=1`,
    `omero.a=${long}`,
    `omero config set a '${long}'`,
    `# x\nomero.a: ${'\\:'.repeat(1_000_000)}`,
  ])
    t.ok(importOmero([{ file: '/o.txt', text }]).ok, text.slice(0, 20))
})
