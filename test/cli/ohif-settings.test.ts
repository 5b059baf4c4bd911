// The environment is read as the OHIF image reads it, and what is wrong or not honoured is told by name.
import t from 'tap'
import { chooses, readOhifSettings } from '../../src/cli/ohif-settings.ts'

t.test('SSL_PORT or PORT chooses this mode, and an empty one counts as not set', async t => {
  for (const env of [{ PORT: '80' }, { SSL_PORT: '443' }, { SSL_PORT: '', PORT: '80' }])
    t.ok(chooses(env), JSON.stringify(env))
  for (const env of [{}, { PORT: '' }, { SSL_PORT: '', PORT: '' }, { APP_CONFIG: 'x' }])
    t.notOk(chooses(env), JSON.stringify(env))
})

t.test('SSL_PORT means TLS on that port with the two fixed paths, and wins over PORT', async t => {
  const fixed = { certificate: '/etc/ssl/certs/ssl-certificate.crt', key: '/etc/ssl/private/ssl-private-key.key' }
  t.match(readOhifSettings({ SSL_PORT: '443' }), { settings: { port: 443, secure: true, files: fixed }, notes: [] })
  t.match(readOhifSettings({ SSL_PORT: '443', PORT: '80' }), {
    settings: { port: 443, secure: true },
    notes: [/^PORT is set too and stands back/],
  })
  t.match(readOhifSettings({ PORT: '3000' }), { settings: { port: 3000, secure: false, files: fixed }, notes: [] })
  t.match(readOhifSettings({ SSL_PORT: '', PORT: '3000' }), { settings: { port: 3000, secure: false } })
  t.match(readOhifSettings({ SSL_PORT: '443', SSL_CERTIFICATE: '/c.pem', SSL_CERTIFICATE_KEY: '/k.pem' }), {
    settings: { files: { certificate: '/c.pem', key: '/k.pem' } },
  })
  t.match(readOhifSettings({ SSL_PORT: '443', SSL_CERTIFICATE: '/c.pem' }), {
    settings: { files: { certificate: '/c.pem', key: fixed.key } },
  })
})

t.test('nothing is settled that was not asked for', async t => {
  t.match(readOhifSettings({ PORT: '80', APP_CONFIG: '', PUBLIC_URL: '', CSP_HEADER: '', CLIENT_ID: '' }), {
    settings: { appConfig: undefined, publicUrl: undefined, policy: undefined },
    problems: [],
  })
})

const refusals: [what: string, env: NodeJS.ProcessEnv, told: RegExp][] = [
  ['port 0', { SSL_PORT: '0' }, /^SSL_PORT is "0", which is no port$/],
  ['port 70000', { SSL_PORT: '70000' }, /^SSL_PORT is "70000", which is no port$/],
  ['port abc', { SSL_PORT: 'abc' }, /^SSL_PORT is "abc", which is no port$/],
  ['port -1', { PORT: '-1' }, /^PORT is "-1", which is no port$/],
  ['port 80.5', { PORT: '80.5' }, /^PORT is "80\.5", which is no port$/],
  ['port 0x50', { PORT: '0x50' }, /^PORT is "0x50", which is no port$/],
  ['an address', { PORT: '0.0.0.0:80' }, /^PORT is "0\.0\.0\.0:80", which is no port$/],
  ['a wrong SSL_PORT, although PORT is right', { SSL_PORT: 'abc', PORT: '80' }, /^SSL_PORT is "abc"/],
  [
    'PUBLIC_URL without its last slash',
    { PORT: '80', PUBLIC_URL: '/ohif' },
    /^PUBLIC_URL is "\/ohif", and has to be a path/,
  ],
  ['PUBLIC_URL of another server', { PORT: '80', PUBLIC_URL: 'https://cdn/' }, /^PUBLIC_URL is "https:\/\/cdn\/"/],
  ['PUBLIC_URL with a way out', { PORT: '80', PUBLIC_URL: '/../etc/' }, /^PUBLIC_URL is/],
  [
    'a path as APP_CONFIG',
    { PORT: '80', APP_CONFIG: 'config/default.js' },
    /^APP_CONFIG is "config\/default\.js": it takes the contents/,
  ],
  [
    'broken APP_CONFIG',
    { PORT: '80', APP_CONFIG: 'window.config = {\n  a: 1,\n  b = 2\n}' },
    /^APP_CONFIG is no JavaScript .*\(line 3\): /,
  ],
  [
    'APP_CONFIG whose lines were joined',
    { PORT: '80', APP_CONFIG: 'window.config = { // our archive  name: 1 }' },
    /^APP_CONFIG is no JavaScript/,
  ],
  [
    'CSP_HEADER of two lines',
    { PORT: '80', CSP_HEADER: "default-src 'self'\r\nset-cookie: a=b" },
    /^CSP_HEADER is not the value/,
  ],
  [
    'CSP_HEADER as a line for nginx',
    { PORT: '80', CSP_HEADER: 'add_header Content-Security-Policy "x";' },
    /^CSP_HEADER is not/,
  ],
  [
    'CLIENT_ID',
    { PORT: '80', CLIENT_ID: 'x.apps.googleusercontent.com' },
    /^CLIENT_ID is set: .*Google Cloud Healthcare/,
  ],
  [
    'HEALTHCARE_API_ENDPOINT',
    { PORT: '80', HEALTHCARE_API_ENDPOINT: 'https://x/v1' },
    /^HEALTHCARE_API_ENDPOINT is set: /,
  ],
]
for (const [what, env, told] of refusals) {
  t.test(`refused, with its cure: ${what}`, async t => {
    const { settings, problems } = readOhifSettings(env)
    t.equal(settings, undefined)
    t.match(problems, [{ text: told, cure: /\S/ }])
    t.equal(problems.length, 1)
  })
}

t.test('all problems are told at once', async t => {
  const { problems } = readOhifSettings({
    SSL_PORT: 'abc',
    PUBLIC_URL: 'x',
    CLIENT_ID: 'y',
    APP_CONFIG: '{{',
    CSP_HEADER: '%',
  })
  t.equal(problems.length, 5)
})

t.test('APP_CONFIG is read and never run', async t => {
  const text = 'globalThis.ranHere = true; window.config = {}'
  t.equal(readOhifSettings({ PORT: '80', APP_CONFIG: text }).settings?.appConfig, text)
  t.notOk('ranHere' in globalThis)
})

t.test('CSP_HEADER is taken with its name in front and without', async t => {
  for (const [written, policy] of [
    ["default-src 'self'; img-src 'self' blob: data:;", "default-src 'self'; img-src 'self' blob: data:;"],
    ["Content-Security-Policy: default-src 'self'", "default-src 'self'"],
    ['upgrade-insecure-requests', 'upgrade-insecure-requests'],
  ] as const)
    t.match(readOhifSettings({ PORT: '80', CSP_HEADER: written }), { settings: { policy } }, written)
})
