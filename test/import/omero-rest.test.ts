/**
 * omero.security.*, what stands in front of OMERO.web, TLS of OMERO's own clients, and all that is only listed.
 */
import t from 'tap'
import { importSettings, upstreamOf, webOf } from './imported.ts'

function look(text: string) {
  const got = importSettings(text)
  return { ...got, realms: got.config.realms, told: got.said.join('\n') }
}

const on = 'omero.ldap.config=true\nomero.ldap.base=o=x\n'
const provider = (name: string) => `omero.security.password_provider=${name}\n`

t.test('each provider of OMERO has its like, or is refused by name with the cure', async t => {
  const rows: readonly (readonly [bean: string, ours: string, told?: RegExp])[] = [
    ['chainedPasswordProvider', 'chained'],
    ['chainedPasswordProvider431', 'chained431'],
    ['ldapPasswordProvider', 'directory'],
    ['jdbcPasswordProvider', 'local'],
    [
      'chainedPasswordProviderNoSalt',
      'chained',
      /chainedPasswordProviderNoSalt is not taken: local passwords here are always salted/,
    ],
    [
      'jdbcPasswordProviderNoSalt',
      'local',
      /jdbcPasswordProviderNoSalt is not taken: local passwords here are always salted/,
    ],
    ['jdbcHashedPasswordProvider', 'local', /jdbcHashedPasswordProvider is not taken/],
    ['ldapPasswordProvider431', 'directory', /ldapPasswordProvider431 is not taken/],
  ]
  for (const [bean, ours, told] of rows) {
    const got = look(on + provider(bean))
    t.equal(got.realms.passwordProvider, ours, bean)
    t.equal(got.realms.directory.enabled, true, bean)
    if (told === undefined) t.notMatch(got.told, /password_provider: .* is not taken/, bean)
    else t.match(got.told, told, bean)
  }
  for (const bean of ['ourOwnProvider', 'constructor', '']) {
    const got = look(on + provider(bean))
    t.match(got.told, /^decide omero\.security\.password_provider: ".*" is no provider that OMERO brings/m, bean)
    t.equal(got.realms.directory.enabled, false, bean)
  }
})

t.test('a directory that alone is asked and is off does not make a draft that does not load', async t => {
  const got = look(provider('ldapPasswordProvider'))
  t.equal(got.realms.passwordProvider, 'chained')
  t.match(
    got.told,
    /^decide omero\.security\.password_provider: asks the directory only, which is off .* passwordProvider: directory/m,
  )
})

t.test('users in the database of OMERO are spoken of where they count', async t => {
  t.match(look(on).told, /^decide omero\.security\.password_provider: users with a password in the database of OMERO/m)
  t.notMatch(look(on + provider('ldapPasswordProvider')).told, /users with a password in the database/)
})

t.test('ignore_case is said, with what it means for local accounts', async t => {
  const got = look(`${on}omero.security.ignore_case=true`)
  t.equal(got.realms.ignoreCase, true)
  t.match(got.draft, /ignoreCase: true # omero\.security\.ignore_case$/m)
  t.match(got.told, /^decide omero\.security\.ignore_case: is true: .* local accounts with a capital/m)
  const other = look(`${on}${provider('chainedPasswordProvider431')}omero.security.ignore_case=true`)
  t.match(other.told, /^decide omero\.security\.ignore_case: .* OMERO itself heeds with chainedPasswordProvider only/m)
  t.notMatch(look(`${on}omero.security.ignore_case=false`).told, /ignore_case/)
  t.match(
    look(`${on}omero.security.ignore_case=x`).told,
    /^problem omero\.security\.ignore_case: must be true or false/m,
  )
  const shell = look(`${on}omero config set omero.security.ignore_case $X`)
  t.match(shell.told, /^decide omero\.security\.ignore_case: is not known, and the draft tells JSmith from jsmith/m)
})

t.test('throttle and password_required are explained', async t => {
  const got = look(
    'omero.security.login_failure_throttle_count=1\nomero.security.login_failure_throttle_time=3000\nomero.security.password_required=false',
  )
  for (const key of ['count', 'time'])
    t.match(got.told, new RegExp(`^note omero\\.security\\.login_failure_throttle_${key}: .* realms\\.throttle`, 'm'))
  t.match(
    got.told,
    /^decide omero\.security\.password_required: is not true: OMERO lets a local user without a password in/m,
  )
  t.match(
    look('omero.security.password_required=true').told,
    /^note omero\.security\.password_required: is true, as it always is/m,
  )
})

t.test('the draft puts OMERO.web behind the gate, opens least, and says that this is assumed', async t => {
  const got = look('')
  t.match(webOf(got).bind, [{ host: '0.0.0.0', port: 8443 }])
  t.match(webOf(got).keystores, [
    { certificate: '/etc/sallyport/certs/server.pem', key: '/etc/sallyport/certs/server.key' },
  ])
  t.match(upstreamOf(got, 'omero'), { kind: 'omero-web', url: 'http://127.0.0.1:4080/' })
  t.match(got.draft, /url: http:\/\/127\.0\.0\.1:4080 # assumed: OMERO\.web where it is by default/)
  t.match(got.config.routes, [{ path: '/', upstream: 'omero', access: 'authenticated' }])
  t.match(got.told, /^decide : OMERO\.web has a login of its own\. The draft opens least: access: authenticated/m)
  t.match(got.told, /^decide : .* "sallyport certs server NAME"/m)
  t.match(got.told, /^change omero\.web\.csrf_trusted_origins: tell OMERO\.web that https is spoken/m)
})

t.test('OMERO.web is where its settings say it is', async t => {
  const web = (host: string, port: string) =>
    look(`omero.web.application_server.host=${host}\nomero.web.application_server.port=${port}`)
  t.equal(upstreamOf(web('192.0.2.7', '4081'), 'omero').url, 'http://192.0.2.7:4081/')
  t.equal(upstreamOf(web('::1', '4081'), 'omero').url, 'http://[::1]:4081/')
  const wide = web('0.0.0.0', '4080')
  t.equal(upstreamOf(wide, 'omero').url, 'http://127.0.0.1:4080/')
  t.match(wide.told, /^change omero\.web\.application_server\.host: set it to 127\.0\.0\.1/m)
  const wrong = web('a b@c', '99999')
  t.equal(upstreamOf(wrong, 'omero').url, 'http://127.0.0.1:4080/')
  t.match(wrong.told, /^problem omero\.web\.application_server\.port: is no port/m)
  t.match(wrong.told, /^problem omero\.web\.application_server\.host: is no address/m)
  for (const host of ['99999999999', '1.2.3.400', 'a:b', '[x', ''])
    t.match(web(host, '4080').told, /^problem omero\.web\.application_server\.host: is no address/m, host)
})

t.test("TLS of OMERO's own clients is a hint: certs omero, or a stream", async t => {
  const got = look(
    'omero.glacier2.IceSSL.CertFile=server.p12\nomero.glacier2.IceSSL.Ciphers=HIGH!DHE\nomero.glacier2.IceSSL.DefaultDir=/OMERO/certs\nomero.glacier2.IceSSL.Password=s3cret\nomero.glacier2.IceSSL.Protocols=TLS1_2,TLS1_3\n',
  )
  t.match(got.config.streams, {})
  t.match(
    got.told,
    /^decide omero\.glacier2\.IceSSL: .*"CertFile", "Ciphers", "DefaultDir", "Password", "Protocols".*"sallyport certs omero"/m,
  )
  t.ok(
    got.told.includes(
      'streams: { glacier2: { bind: "0.0.0.0:4064", protocol: raw, upstream: "tcp://127.0.0.1:4063", tls: { minimum: tls1_2, ciphers: "HIGH!DHE" }, keystore: { certificate: "/OMERO/certs/server.p12", password: { file: secrets/glacier2 } }, access: everyone } }',
    ),
    got.told,
  )
  t.notMatch(got.told, /suites without a certificate/)
  const old = look(
    'omero.glacier2.IceSSL.Ciphers=ADH:!LOW:!MD5:!EXP:!3DES:@STRENGTH\nomero.glacier2.IceSSL.Protocols=tls1',
  )
  t.match(old.told, /^decide omero\.glacier2\.IceSSL\.Ciphers: switches on suites without a certificate/m)
})

t.test('every other setting is listed by name, in a group with its reason, and its value is not', async t => {
  const rows: Readonly<Record<string, RegExp>> = {
    'omero.ldap.attributes': /^decide omero\.ldap: omero\.ldap\.attributes: are of OMERO before 4\.2/m,
    'omero.ldap.trustStorePassword':
      /^decide omero\.ldap: omero\.ldap\.trustStorePassword: are called omero\.security/m,
    'omero.ldap.shiny': /^decide omero\.ldap: omero\.ldap\.shiny: are not known to this import/m,
    'omero.security.chmod_strategy': /^note omero\.security: omero\.security\.chmod_strategy: rights inside OMERO/m,
    'omero.web.server_list': /^note omero\.web: omero\.web\.server_list: OMERO\.web reads them itself/m,
    'omero.db.pass': /^note omero\.db: omero\.db\.pass: the database of OMERO/m,
    'omero.router.insecure': /^note omero\.glacier2: omero\.router\.insecure: how OMERO's own clients connect/m,
    'Ice.IPv6': /^note omero\.glacier2: Ice\.IPv6: /m,
    'omero.certificates.owner': /^note omero\.certificates: omero\.certificates\.owner: .*"sallyport certs omero"/m,
    'omero.sessions.timeout': /^note omero\.sessions: omero\.sessions\.timeout: .* sessions\.idle/m,
    'omero.mail.password': /^note omero\.mail: omero\.mail\.password: mail that OMERO sends/m,
    'omero.data.dir': /^note omero: omero\.data\.dir: storage, memory and work of OMERO/m,
    'omero.something.new': /^note omero: omero\.something\.new: OMERO alone is concerned/m,
    __proto__: /^note : __proto__: are no settings of OMERO/m,
    'a.b': /^note : a\.b: are no settings of OMERO/m,
  }
  for (const [key, told] of Object.entries(rows)) t.match(look(`${key}=s3cret`).told, told, key)
  const all = look(
    Object.keys(rows)
      .map(key => `${key}=s3cret\n`)
      .join(''),
  )
  for (const key of Object.keys(rows)) t.ok(all.told.includes(key), key)
})

t.test('no option of the LDAP side of OMERO is passed over in silence', async t => {
  const options: Readonly<Record<string, string>> = {
    'omero.ldap.config': 'true',
    'omero.ldap.urls': 'ldaps://h',
    'omero.ldap.username': 'cn=r',
    'omero.ldap.password': 's3cret',
    'omero.ldap.base': 'o=x',
    'omero.ldap.user_filter': '(a=b)',
    'omero.ldap.user_mapping': 'omeName=uid',
    'omero.ldap.group_filter': '(a=b)',
    'omero.ldap.group_mapping': 'name=ou',
    'omero.ldap.new_user_group': ':ou:',
    'omero.ldap.new_user_group_owner': '(owner=@{dn})',
    'omero.ldap.sync_on_login': 'true',
    'omero.ldap.referral': 'follow',
    'omero.ldap.connect_timeout': '7000',
    'omero.ldap.read_timeout': '7000',
    'omero.security.ignore_case': 'true',
    'omero.security.password_provider': 'ldapPasswordProvider',
    'omero.security.password_required': 'true',
    'omero.security.login_failure_throttle_count': '2',
    'omero.security.login_failure_throttle_time': '2',
    'omero.security.trustStore': '/t.jks',
    'omero.security.trustStorePassword': 's3cret',
    'omero.security.keyStore': '/k.jks',
    'omero.security.keyStorePassword': 's3cret',
  }
  const empty = look('')
  for (const [option, value] of Object.entries(options)) {
    const got = look(`${option}=${value}`)
    const told = got.decisions.some(decision => decision.option === option && decision.line === 1)
    t.ok(told || got.draft !== empty.draft, option)
  }
})
