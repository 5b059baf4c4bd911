/**
 * The section `streams:` as an operator writes it, and every mistake in it with its cure.
 */
import t from 'tap'
import { configOf, saidOf } from '../config/written.ts'

const base: Record<string, string> = {
  bind: '0.0.0.0:2762',
  protocol: 'dicom',
  keystore: '{ certificate: certs/server.pem, key: certs/server.key }',
  clients: '{ certificate: required, truststore: certs/nodes.pem }',
  upstream: 'tcp://127.0.0.1:4242',
  access: 'authenticated',
}

/** @param changes  undefined leaves a key out */
function yamlOf(changes: Readonly<Record<string, string | undefined>> = {}, more = ''): string {
  const all = { ...base, ...changes }
  const lines = Object.entries(all).flatMap(([key, value]) => (value === undefined ? [] : [`    ${key}: ${value}`]))
  return `streams:\n  dicom:\n${lines.join('\n')}\n${more}`
}
const stream = (changes: Readonly<Record<string, string | undefined>> = {}) => {
  const { dicom } = configOf(yamlOf(changes)).streams
  if (dicom === undefined) throw new Error('the stream is gone')
  return dicom
}

t.test('a stream of the manual is read with its defaults', async t => {
  t.match(stream({ tls: '{ floor: dicom-bcp195 }', titles: '{ "CN=ct-scanner-1": [CT1] }' }), {
    bind: [{ host: '0.0.0.0', port: 2762 }],
    protocol: 'dicom',
    tls: { floor: 'dicom-bcp195' },
    keystores: [{ kind: 'files', certificate: '/etc/sallyport/certs/server.pem' }],
    clients: { certificate: 'required', truststore: '/etc/sallyport/certs/nodes.pem' },
    upstream: { host: '127.0.0.1', port: 4242 },
    titles: [{ holder: { name: [[{ type: '2.5.4.3', value: { text: 'ct-scanner-1' } }]] }, titles: ['CT1'] }],
    access: 'authenticated',
    limits: { handshake: 10_000, associate: 30_000, connect: 5_000, idle: 600_000, connections: 1_000 },
  })
  const glacier2 = configOf(
    `streams:
  glacier2: { bind: 0.0.0.0:4064, protocol: raw, upstream: tcp://127.0.0.1:4063, keystore: { certificate: certs/server.p12, password: { file: secrets/p12 } }, access: everyone }`,
  ).streams['glacier2']
  t.match(glacier2, { clients: { certificate: 'none' }, access: 'everyone', limits: { idle: 24 * 3_600_000 } })
  t.equal(glacier2?.titles, undefined)
  t.same(configOf('').streams, {})
})

t.test('what may be written, and how it is read', async t => {
  const hex = Array.from({ length: 32 }, () => 'ab').join(':')
  t.match(stream({ upstream: 'tcp://[::1]:104' }).upstream, { host: '::1', port: 104 })
  t.match(stream({ upstream: 'tcp://pacs.example.org:11112' }).upstream, { host: 'pacs.example.org', port: 11112 })
  t.match(stream({ titles: `{ "sha256:${hex}": "  CT 1 " }` }).titles, [
    { holder: { fingerprint: 'AB'.repeat(32) }, titles: ['CT 1'] },
  ])
  t.match(
    stream({ access: '[{ groups: [nodes], proof: [certificate] }, { people: [ct], realms: [certificate] }]' }).access,
    [{ groups: ['nodes'] }, { people: ['ct'], realms: ['certificate'] }],
  )
  t.match(stream({ limits: '{ idle: 1 h, associate: 5 s, connect: 1 s, handshake: 3 s, connections: 20 }' }).limits, {
    ...{ idle: 3_600_000, associate: 5_000, connect: 1_000, handshake: 3_000, connections: 20 },
  })
  t.equal(stream({ keystore: '[{ certificate: a.pem }, { certificate: b.pem }]' }).keystores.length, 2)
})

t.test('every mistake is told where it stands, with its cure', async t => {
  const cure = 'clients: { certificate: required, truststore: FILE }'
  const at = (key: string, message: string) => `streams.dicom${key === '' ? '' : `.${key}`}: ${message}`
  const none = { clients: undefined }
  const rows: [Record<string, string | undefined>, string | RegExp][] = [
    [{ access: undefined }, at('access', '"access" is missing; write everyone, authenticated, or a list of rules')],
    [{ access: 'everybody' }, at('access', 'write everyone, authenticated, or a list of rules')],
    [{ access: '[]' }, /at least one entry|write everyone, authenticated, or a list of rules/],
    [
      { access: '[{ groups: [a], may: read }]' },
      at('access[0].may', 'a stream is open to somebody or it is not; "may" belongs to routes'),
    ],
    [
      { access: '[{ groups: [a], dangerous: true }]' },
      at('access[0].dangerous', 'a stream is open to somebody or it is not; "dangerous" belongs to routes'),
    ],
    [
      { access: '[{ groups: [a], proof: [password] }]' },
      at('access[0].proof[0]', 'nothing but a certificate can prove who comes by a stream'),
    ],
    [{ access: '[{ realms: [certificate] }]' }, at('access[0]', 'a rule names groups, people, or both')],
    [
      { access: '[{ groups: [a], realms: [directory] }]' },
      at('access[0].realms', 'people come by a stream with certificates only; realms of certificates: certificate'),
    ],
    [none, at('access', `nobody can prove who it is here, and nobody would get in; write ${cure}`)],
    [
      { ...none, access: 'everyone', titles: '{ "CN=a": [A] }' },
      at('titles', `titles are held against a client certificate, and none is asked for; write ${cure}`),
    ],
    [
      { access: 'everyone', titles: '{ "CN=a": [A] }' },
      at('access', 'titles say who may call how, and everyone lets people in without asking; write authenticated'),
    ],
    [{ protocol: 'raw', titles: '{ "CN=a": [A] }' }, at('titles', 'only DICOM has AE titles; write protocol: dicom')],
    [
      { protocol: 'raw', limits: '{ associate: 5 s }' },
      at('limits.associate', 'only DICOM has associations; write protocol: dicom'),
    ],
    [{ protocol: undefined }, at('protocol', '"protocol" is missing; write dicom or raw')],
    [{ protocol: 'http' }, at('protocol', 'write dicom or raw')],
    [{ keystore: undefined }, at('keystore', 'a stream needs a keystore (its certificate and key): TLS ends here')],
    [{ titles: '{}' }, at('titles', 'name at least one certificate; or leave titles out')],
    [{ titles: '{ "ct-scanner-1": [CT1] }' }, /^streams\.dicom\.titles.*"ct-scanner-1" is no name of a certificate: /],
    [{ titles: '{ "sha256:abcd": [CT1] }' }, /"sha256:abcd" is no SHA-256 fingerprint/],
    [{ titles: '{ "CN=a": [SEVENTEEN-LETTERS] }' }, /an AE title has 1 to 16 characters/],
    [{ titles: '{ "CN=a": ["   "] }' }, /an AE title has 1 to 16 characters/],
    [{ titles: "{ 'CN=a': ['A\\B'] }" }, /without backslash/],
    [{ titles: '{ "CN=a": [] }' }, /at least one/],
    [{ limits: '{ headers: 1 s }' }, at('limits.headers', 'unknown key "headers"; check its spelling and place')],
    [{ titel: '{}' }, at('titel', 'unknown key "titel"; check its spelling and place')],
  ]
  for (const [changes, expected] of rows) t.match(saidOf(yamlOf(changes)), [expected], JSON.stringify(changes))

  const upstreams = [
    ...['127.0.0.1:4242', 'http://127.0.0.1:8042', 'tls://pacs:2762', 'tcp://127.0.0.1', 'tcp://127.0.0.1:0'],
    ...[
      'tcp://pacs:70000',
      'tcp://pacs:4242/',
      'tcp://:4242',
      'tcp://::1:4242',
      'tcp://999.1.1.1:4242',
      'tcp://[::g]:1',
    ],
  ]
  const hint = 'write tcp://host:port: TLS ends at this gate, and the bytes go on in plain TCP'
  for (const upstream of upstreams)
    t.same(saidOf(yamlOf({ upstream: `"${upstream}"` })), [
      at('upstream', `"${upstream}" is no address to go on to; ${hint}`),
    ])
  t.same(saidOf(yamlOf({ upstream: '"tcp://u:letmein@pacs:1"' })), [
    at('upstream', `this is no address to go on to; ${hint}`),
  ])
  t.same(saidOf(yamlOf({ upstream: '4242' })), [at('upstream', hint)])
})

t.test('an address is bound once, by a listener, a stream or the admin pages', async t => {
  const second =
    '  other: { bind: "0.0.0.0:2762", protocol: raw, keystore: { certificate: a }, upstream: tcp://a:1, access: everyone }'
  t.same(saidOf(yamlOf({}, second)), ['streams.other.bind: 0.0.0.0:2762 is already bound by streams.dicom'])
  t.same(saidOf(yamlOf({}, 'admin: { bind: "0.0.0.0:2762" }')), [
    'admin.bind: 0.0.0.0:2762 is already bound by streams.dicom',
  ])
  const listener = 'listeners: { web: { bind: "0.0.0.0:2762", keystore: { certificate: a } } }'
  t.same(saidOf(yamlOf({}, listener)), ['streams.dicom.bind: 0.0.0.0:2762 is already bound by listeners.web'])
})
