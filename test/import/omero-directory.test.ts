// biome-ignore-all lint/suspicious/noTemplateCurlyInString: OMERO has placeholders like that
/**
 * omero.ldap.* one by one: what becomes of it in `realms.directory`, and what keeps the directory off.
 */
import t from 'tap'
import { importSettings } from './imported.ts'

const on = 'omero.ldap.config=true\n'
const lines = (settings: Readonly<Record<string, string>>) =>
  Object.entries(settings)
    .map(([key, value]) => `omero.ldap.${key}=${value}\n`)
    .join('')

/** With the directory on, unless the settings say otherwise. */
const imported = (settings: Readonly<Record<string, string>>, more = '') => importSettings(on + lines(settings) + more)

function look(settings: Readonly<Record<string, string>>, more = '') {
  const got = imported(settings, more)
  return { directory: got.config.realms.directory, said: got.said.join('\n'), draft: got.draft }
}

t.test('the settings of the manual, word for word', async t => {
  const minimum = importSettings(
    'omero.ldap.config=true\nomero.ldap.urls=ldap://localhost:389\nomero.ldap.username=\nomero.ldap.password=\nomero.ldap.base=ou=example,o=com\n',
  )
  t.match(minimum.config.realms.directory, {
    enabled: true,
    urls: ['ldap://localhost:389'],
    username: undefined,
    password: undefined,
    base: 'ou=example,o=com',
  })
  const lookup = look({
    user_filter: '(objectClass=person)',
    user_mapping: 'omeName=cn,firstName=givenName,lastName=sn,email=mail,institution=department,middleName=middleName',
    group_filter: '(objectClass=groupOfNames)',
    group_mapping: 'name=cn',
    new_user_group: 'default',
  })
  t.match(
    lookup.draft,
    /^ {2}directory:\n {4}enabled: true # omero\.ldap\.config\n\n/m,
    'defaults are not written again',
  )
  const compound = look({
    user_filter: '(|(ou=Queensland Brain Institute)(ou=Ageing Dementia Research))',
    group_filter: '(&(objectClass=groupOfNames)(mail=omero.flag))',
    new_user_group: ':filtered_dn_attribute:memberOf',
  })
  t.match(compound.directory, {
    enabled: true,
    userFilter: '(|(ou=Queensland Brain Institute)(ou=Ageing Dementia Research))',
    groupFilter: '(&(objectClass=groupOfNames)(mail=omero.flag))',
    newUserGroup: { kind: 'dn-attribute', attribute: 'memberOf', filtered: true },
  })
  const catalogue = importSettings('omero config set omero.ldap.urls ldap://ldap.example.com:3268')
  t.same(catalogue.config.realms.directory.urls, ['ldap://ldap.example.com:3268'])
  t.equal(importSettings('omero config set omero.security.ignore_case true').config.realms.ignoreCase, true)
  t.equal(importSettings('omero config set omero.ldap.sync_on_login true').config.realms.directory.syncOnLogin, true)
})

t.test('each key says which option it comes from', async t => {
  const { draft } = look({
    urls: 'ldaps://a',
    username: 'cn=reader',
    password: 's3cret',
    base: 'o=x',
    user_filter: '(cn=*)',
    user_mapping: 'omeName=uid',
    group_filter: '(cn=*)',
    group_mapping: 'name=ou',
    new_user_group: ':query:(member=@{dn})',
    new_user_group_owner: '(owner=@{dn})',
    sync_on_login: 'true',
    referral: 'throw',
    connect_timeout: '1500',
    read_timeout: '60000',
  })
  for (const key of ['config', 'urls', 'username', 'password', 'base', 'user_filter', 'user_mapping', 'group_filter'])
    t.match(draft, new RegExp(`# omero\\.ldap\\.${key}$`, 'm'), key)
  for (const key of ['group_mapping', 'new_user_group', 'new_user_group_owner', 'sync_on_login', 'referral'])
    t.match(draft, new RegExp(`# omero\\.ldap\\.${key}$`, 'm'), key)
  t.match(draft, /connectTimeout: 1500 ms # omero\.ldap\.connect_timeout$/m)
  t.match(draft, /readTimeout: 60 s # omero\.ldap\.read_timeout$/m)
})

t.test('omero.ldap.config: true, false, absent, and no word that Java knows', async t => {
  for (const yes of ['true', 'TRUE', 'on', 'yes', '1'])
    t.equal(importSettings(`omero.ldap.config=${yes}`).config.realms.directory.enabled, true, yes)
  const off = importSettings('omero.ldap.config=false\nomero.ldap.base=o=x')
  t.match(off.config.realms.directory, { enabled: false, base: 'o=x' })
  t.match(off.draft, /enabled: false # omero\.ldap\.config$/m)
  t.match(off.said.join('\n'), /^note omero\.ldap\.config: is false: .* enabled: false/m)
  const absent = importSettings('omero.ldap.base=o=x')
  t.match(absent.draft, /enabled: false # omero\.ldap\.config is not written, and false then$/m)
  t.match(absent.said.join('\n'), /^note omero\.ldap\.config: is not written, and false then/m)
  const wrong = importSettings('omero.ldap.config=maybe')
  t.equal(wrong.config.realms.directory.enabled, false)
  t.match(wrong.said.join('\n'), /^problem omero\.ldap\.config: must be true or false/m)
})

t.test('urls are parted by blanks; a DN behind them is the base where none is written', async t => {
  const several = look({ urls: 'ldaps://a  ldaps://b:637\tldaps://a', base: 'o=x' })
  t.same(several.directory.urls, ['ldaps://a', 'ldaps://b:637'])
  const rooted = look({ urls: 'ldaps://a/dc=example,dc=org ldaps://b/dc=example,dc=org' })
  t.match(rooted.directory, { enabled: true, urls: ['ldaps://a', 'ldaps://b'], base: 'dc=example,dc=org' })
  t.match(rooted.said, /^decide omero\.ldap\.urls: ends with a DN, which the draft takes for base/m)
  t.equal(look({ urls: 'ldaps://a/ou=my%20lab,o=%C3%A9' }).directory.base, 'ou=my lab,o=é')
  const both = look({ urls: 'ldaps://a/dc=example,dc=org', base: 'ou=people' })
  t.equal(both.directory.base, 'ou=people', 'which overrides it in OMERO')
  t.match(both.said, /^decide omero\.ldap\.urls: ends with a DN, which omero\.ldap\.base overrides/m)
  t.notMatch(look({ urls: 'ldaps://a/o=x', base: 'o=X' }).said, /overrides/)
})

t.test(
  'different DNs behind the addresses are a problem, and the directory is off where no base is written',
  async t => {
    const urls = 'ldaps://a/o=x ldaps://b/o=y'
    const got = look({ urls })
    t.match(got.said, /^problem omero\.ldap\.urls: has several DNs/m)
    t.equal(got.directory.enabled, false)
    t.match(look({ urls, base: 'o=x' }).directory, { enabled: true, base: 'o=x' })
  },
)

t.test('what is no address of a directory is a problem, is never repeated, and leaves the directory off', async t => {
  const wrong = [
    'http://s3cret',
    's3cret',
    'ldap://',
    'ldap://u:s3cret@h',
    'ldap://h:99999',
    'ldap://h/o=x?cn?s3cret',
    ' ',
  ]
  for (const urls of wrong) {
    const got = look({ urls, base: 'o=x' })
    t.match(got.said, /^problem omero\.ldap\.urls: holds what is no address of a directory/m, urls)
    t.equal(got.directory.enabled, false, urls)
  }
})

t.test('ldap:// to another machine is to be decided; to this one it is not', async t => {
  const got = look({ urls: 'ldap://a.example.org ldap://b.example.org ldap://localhost', base: 'o=x' })
  t.match(
    got.said,
    /^decide omero\.ldap\.urls: passwords travel in clear to "a\.example\.org", "b\.example\.org": write ldaps:\/\/ .* startTls: true/m,
  )
  for (const urls of ['ldap://localhost', 'ldap://127.0.0.1:1389', 'ldap://[::1]', 'ldaps://a.example.org'])
    t.notMatch(look({ urls, base: 'o=x' }).said, /in clear/, urls)
})

t.test('stores of Java become PEM, with the command; passwords of theirs are of no use', async t => {
  const stores =
    'omero.security.trustStore=/etc/my store.jks\nomero.security.trustStorePassword=s3cret\nomero.security.keyStore=/etc/k.jks\nomero.security.keyStorePassword=s3cret\n'
  const got = look({ urls: 'ldaps://a', base: 'o=x' }, stores)
  t.match(got.directory.tls, {
    ca: '/etc/sallyport/certs/ldap-ca.pem',
    certificate: '/etc/sallyport/certs/ldap-client.pem',
    key: '/etc/sallyport/certs/ldap-client.key',
  })
  t.ok(got.said.includes("keytool -list -rfc -keystore '/etc/my store.jks' > certs/ldap-ca.pem"))
  t.ok(got.said.includes('keytool -importkeystore -srckeystore /etc/k.jks -destkeystore ldap-client.p12'))
  t.ok(got.said.includes('openssl pkcs12 -in ldap-client.p12 -clcerts -nokeys -out certs/ldap-client.pem'))
  for (const key of ['trustStorePassword', 'keyStorePassword'])
    t.match(got.said, new RegExp(`^note omero\\.security\\.${key}: opens a store of Java`, 'm'))
  for (const urls of ['ldap://localhost', 'ldaps://a ldap://localhost']) {
    const plain = look({ urls, base: 'o=x' }, stores)
    t.equal(plain.directory.tls, undefined)
    t.match(
      plain.said,
      /^note omero\.security\.trustStore: is a store of Java for encrypted addresses, .* keytool -list/m,
    )
  }
  t.match(
    look({ urls: 'ldaps://a ldap://localhost' }).said,
    /^decide omero\.ldap\.urls: holds encrypted addresses and others/m,
  )
  t.match(look({ urls: 'ldaps://a' }).said, /^note omero\.ldap\.urls: is trusted by the platform's authorities/m)
})

t.test('the password of the reader is in a file that is named, whatever the settings hold', async t => {
  const rows: readonly (readonly [password: string, told: RegExp])[] = [
    ['s3cret', /^decide omero\.ldap\.password: is not copied: write it into secrets\/ldap/m],
    ['********', /^decide omero\.ldap\.password: is masked in there\. .* omero config get omero\.ldap\.password/m],
    ['', /^decide omero\.ldap\.password: names a reader without a password/m],
  ]
  for (const [password, told] of rows) {
    const got = look({ username: 'cn=reader,o=x', password, base: 'o=x' })
    t.match(got.directory, { username: 'cn=reader,o=x', password: { file: '/etc/sallyport/secrets/ldap' } }, password)
    t.match(got.said, told)
    t.notMatch(got.draft + got.said, /\*{8}/)
  }
  t.match(look({ username: 'cn=reader' }).said, /^decide omero\.ldap\.username: names a reader without a password/m)
  const nobody = look({ username: '', password: 's3cret' })
  t.match(nobody.directory, { username: undefined, password: undefined })
  t.match(nobody.said, /^note omero\.ldap\.password: is not used without omero\.ldap\.username/m)
})

t.test('a base that is no DN is a problem, and leaves the directory off', async t => {
  for (const base of ['people', 'ou=people,example', 'ou', '=x']) {
    const got = look({ base })
    t.match(got.said, /^problem omero\.ldap\.base: is no name of an entry/m, base)
    t.match(got.directory, { enabled: false, base: 'ou=example,o=com' }, base)
  }
  const root = look({ urls: 'ldaps://a/people' })
  t.match(root.said, /^problem omero\.ldap\.urls: ends with what is no name of an entry/m)
  t.equal(root.directory.enabled, false)
})

t.test('a base that is empty, and one that is not written', async t => {
  const empty = look({ base: '' })
  t.equal(empty.directory.base, '')
  t.match(empty.said, /^decide omero\.ldap\.base: is empty/m)
  t.match(look({}).said, /^decide omero\.ldap\.base: is not written: OMERO searches ou=example,o=com/m)
})

t.test('a filter that is none is a problem, and leaves the directory off', async t => {
  for (const key of ['user_filter', 'group_filter']) {
    for (const filter of [
      '(objectClass=groupOfNames)(mail=omero.flag)',
      'objectClass=person',
      '(cn=a',
      '(&)',
      '(c n=a)',
    ]) {
      const got = look({ [key]: filter, base: 'o=x' })
      t.match(got.said, new RegExp(`^problem omero\\.ldap\\.${key}: is no filter`, 'm'), filter)
      t.match(got.directory, { enabled: false, userFilter: '(objectClass=person)' }, filter)
      t.match(
        got.said,
        new RegExp(
          `^decide omero\\.ldap\\.config: is true, and the draft says enabled: false: .* omero\\.ldap\\.${key}`,
          'm',
        ),
      )
    }
  }
  t.match(look({ user_filter: '(a=b)(c=d)' }).said, /two filters stand side by side/)
  const empty = look({ user_filter: '', base: 'o=x' })
  t.match(empty.directory, { enabled: true, userFilter: '(objectClass=*)' })
  t.match(look({ user_filter: '(member=${dn})' }).said, /^decide omero\.ldap\.user_filter: holds a placeholder/m)
})

t.test('mappings are read as OMERO reads them; what it does not know is listed', async t => {
  const got = look({ user_mapping: 'omeName=cn; omeName=uid :  email=mail,,shoeSize=x,__proto__=y' })
  t.same(
    got.directory.userMapping,
    new Map([
      ['omeName', 'uid'],
      ['email', 'mail'],
    ]),
  )
  t.match(got.said, /^note omero\.ldap\.user_mapping: OMERO does not know "shoeSize", "__proto__"/m)
  const rows: Readonly<Record<string, string>> = {
    user_mapping: 'firstName=cn',
    group_mapping: 'title=cn',
  }
  for (const [key, mapping] of Object.entries(rows)) {
    const wrong = look({ [key]: mapping })
    t.match(wrong.said, new RegExp(`^problem omero\\.ldap\\.${key}: maps nothing to`, 'm'))
    t.equal(wrong.directory.enabled, false)
  }
  const half = look({ user_mapping: 'omeName=uid,email,lastName=s_n' })
  t.same(half.directory.userMapping, new Map([['omeName', 'uid']]))
  t.match(half.said, /^problem omero\.ldap\.user_mapping: email has no name of an attribute/m)
})

t.test('referral, sync_on_login and timeouts', async t => {
  t.equal(look({ referral: 'ignore' }).directory.referral, 'ignore')
  const followed = look({ referral: 'follow' })
  t.equal(followed.directory.referral, 'follow')
  t.match(followed.said, /^decide omero\.ldap\.referral: is follow: the gateway follows to the hosts in urls only/m)
  const wrong = look({ referral: 'chase' })
  t.equal(wrong.directory.referral, 'ignore')
  t.match(wrong.said, /^problem omero\.ldap\.referral: must be ignore, follow or throw/m)
  t.match(look({ new_user_group: ':ou:' }).said, /^decide omero\.ldap\.sync_on_login: is not true: groups stay/m)
  t.notMatch(look({ new_user_group: ':ou:', sync_on_login: 'true' }).said, /sync_on_login: is not true/)

  const spans: readonly (readonly [written: string, milliseconds: number, told?: RegExp])[] = [
    ['5000', 5000],
    ['+20000', 20_000],
    ['1', 1],
    ['2147483647', 2_147_483_000],
    [
      '0',
      5000,
      /^decide omero\.ldap\.read_timeout: lets OMERO wait for ever; the gateway never does: the draft waits 5 s/m,
    ],
    ['-1', 5000, /^decide omero\.ldap\.read_timeout: lets OMERO wait for ever/m],
    ['2147483648', 5000, /^problem omero\.ldap\.read_timeout: must be a whole number of milliseconds/m],
    ['5 s', 5000, /^problem omero\.ldap\.read_timeout: must be a whole number/m],
    ['', 5000, /^problem omero\.ldap\.read_timeout: must be a whole number/m],
  ]
  for (const [written, milliseconds, told] of spans) {
    const got = look({ read_timeout: written })
    t.equal(got.directory.readTimeout, milliseconds, written)
    if (told !== undefined) t.match(got.said, told, written)
    else t.notMatch(got.said, /read_timeout/, written)
  }
})

t.test('${property} of another property is not put in, and leaves the directory off', async t => {
  const got = look({ base: '${omero.db.name}' })
  t.match(got.said, /^decide omero\.ldap\.base: names another property/m)
  t.match(got.directory, { enabled: false, base: 'ou=example,o=com' })
})
