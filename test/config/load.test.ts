/**
 * From the text of a file to a Config: units gone, paths absolute, defaults in.
 */
import { join } from 'node:path'
import t from 'tap'
import { loadConfig, parseConfig } from '../../src/config/load.ts'
import { configOf, loadText, saidOf } from './written.ts'

t.test('a file that names every key is read, with paths relative to it', async t => {
  const loaded = loadConfig(join(import.meta.dirname, 'full.yaml'))
  if (!loaded.ok) return t.same(loaded.problems, [])
  t.same(loaded.warnings, [])
  const { config } = loaded
  const here = (path: string) => join(import.meta.dirname, path)
  const { web } = config.listeners
  t.match(config, {
    state: here('state'),
    drain: 45_000,
    authority: { dir: here('certs/authority'), password: { file: here('secrets/authority') } },
    sessions: { store: { kind: 'sqlite', file: here('state/s.db') }, idle: 1_800_000, absolute: 43_200_000 },
    realms: { local: { file: here('state/people.yaml') }, directory: { connectTimeout: 2_000, readTimeout: 500 } },
    audit: { file: here('logs/audit.jsonl'), onFailure: 'refuse' },
    admin: { bind: [{ host: '127.0.0.1', port: 9090 }] },
  })
  t.match(web, {
    kind: 'secure',
    bind: [
      { host: '0.0.0.0', port: 8443 },
      { host: '::', port: 8443 },
    ],
    publicUrl: { origin: 'https://imaging.example.org' },
    tls: { minimum: 'TLSv1.2', maximum: 'TLSv1.3' },
    keystores: [{ kind: 'files', certificate: here('certs/server.pem'), key: '/etc/ssl/server.key' }],
    limits: { headerSize: 32_768, idle: 120_000, minimumRate: 0 },
  })
  t.match(config.realms.certificate[0], { id: 'staff', name: 'email', groups: [] })
  t.match(config.realms.certificate[0]?.issuers?.[1], { fingerprint: 'ABCDEF0123456789'.repeat(4) })
  t.match(config.listeners['plain'], { kind: 'plain', redirect: 'web' })
  t.same([...(config.realms.certificate[1]?.people ?? [])], [['ABCDEF0123456789'.repeat(4), 'ct-1']])
  t.same([...config.realms.directory.userMapping.keys()], ['omeName', 'firstName'])
  t.match(config.upstreams['orthanc'], { maxBody: 2 * 1024 ** 3, timeouts: { connect: 1_000, idle: 600_000 } })
  t.match(config.upstreams['viewer'], { dicomWeb: '/dicom-web' })
  t.same(
    config.routes.map(({ host, path }) => `${host ?? ''}${path}`),
    ['/', '/dicom-web', 'omero.example.org/', '/orthanc'],
  )
  t.same(
    config.cors.origins.map(({ origin }) => origin),
    ['https://viewer.example.org'],
  )
})

t.test('what is not written is safe', async t => {
  const config = configOf('upstreams: { a: { kind: generic, url: "http://127.0.0.1:1" } }')
  t.match(config.listeners['web'], { clients: { certificate: 'none' }, tls: { floor: 'mozilla-intermediate' } })
  t.match(config.upstreams['a'], { authorization: 'strip', maxBody: 0, headers: {} })
  t.match(config, {
    state: '/etc/sallyport/state',
    routes: [],
    cors: { origins: [] },
    trustedProxies: [],
    admin: undefined,
    sessions: { store: { kind: 'sqlite', file: '/etc/sallyport/state/sallyport.db' } },
    audit: { file: '/etc/sallyport/state/audit.jsonl', onFailure: 'continue' },
    realms: { basic: false, directory: { enabled: false }, local: { file: '/etc/sallyport/state/users.yaml' } },
  })
})

t.test('an empty file misses its listeners and nothing else', async t => {
  const empty = parseConfig('', '/')
  t.match(empty.ok ? [] : empty.problems, [{ path: ['listeners'], message: /^"listeners" is missing/ }])
  t.match(saidOf('listeners: {}'), ['listeners: at least one listener is needed'])
})

t.test('units are written with a blank or without, and nothing else goes', async t => {
  const drain = (text: string) => {
    const loaded = loadText(`drain: ${text}`)
    return loaded.ok ? loaded.config.drain : 'refused'
  }
  const good: Record<string, number> = {
    '500 ms': 500,
    '30s': 30_000,
    '15 min': 900_000,
    '8 h': 28_800_000,
    '7 d': 604_800_000,
    '0 s': 0,
  }
  for (const [text, milliseconds] of Object.entries(good)) t.equal(drain(text), milliseconds, text)
  for (const text of ['30', '1.5 s', '-1 s', '1 m', '1 S', '1  s', '"1 s "', '1e3 ms', '25 d', '596 h 31 min']) {
    t.equal(drain(text), 'refused', text)
  }
  const size = (text: string) => {
    const loaded = loadText(`upstreams: { a: { kind: generic, url: "http://127.0.0.1", maxBody: ${text} } }`)
    return loaded.ok ? loaded.config.upstreams['a'] : { maxBody: 'refused' }
  }
  t.match(size('512 KB'), { maxBody: 524_288 })
  t.match(size('1TB'), { maxBody: 1024 ** 4 })
  t.match(size('0'), { maxBody: 0 })
  for (const text of ['10', '1 kb', '1 KiB', '1.5 GB']) t.match(size(text), { maxBody: 'refused' }, text)
})

t.test('a protocol may be written in any dialect; what is broken is refused by name', async t => {
  const tls = (text: string) => {
    const loaded = loadText(
      `listeners: { web: { bind: "127.0.0.1:0", keystore: { certificate: a }, tls: { ${text} } } }`,
    )
    const web = loaded.ok ? loaded.config.listeners['web'] : undefined
    return web?.kind === 'secure' ? web.tls : 'refused'
  }
  for (const text of ['tls1_2', 'TLSv1.2', '1.2', '"1.2"', '4'])
    t.match(tls(`minimum: ${text}`), { minimum: 'TLSv1.2' })
  for (const text of ['tls1_3', 'TLSv1.3', '1.3', '5']) t.match(tls(`minimum: ${text}`), { minimum: 'TLSv1.3' }, text)
  for (const text of ['ssl3', '1.0', '1.4', 'true', '[1.2]']) t.equal(tls(`minimum: ${text}`), 'refused', text)
  const lists = ['"TLS1_2,TLS1_3"', '"tls1_2 tls1_3"', '[tls1_2, TLSv1.3]', '[1.2, 1.3]', '"1.2, 1.3"', '[4, 5]']
  for (const text of lists) t.match(tls(`protocols: ${text}`), { protocols: ['TLSv1.2', 'TLSv1.3'] }, text)
  t.match(tls('protocols: 1.3'), { protocols: ['TLSv1.3'] })
  for (const text of ['""', '[]', '"1.2,"', 'yes', '[ssl3, 1.2]'])
    t.equal(typeof tls(`protocols: ${text}`) === 'string', text !== '"1.2,"', text)
})

t.test('a warning stops nothing', async t => {
  t.match(saidOf('cors: { origins: ["http://a.example"] }'), [/^warning: cors\.origins\[0\]: /])
})

t.test('a password that would travel in the clear is warned of, except on this machine', async t => {
  const said = (url: string) =>
    saidOf(`upstreams: { a: { kind: generic, url: "${url}", credentials: { username: u, password: { env: P } } } }`)
      .length
  for (const url of [
    'http://127.0.0.1:1',
    'http://127.8.8.8',
    'http://localhost',
    'http://[::1]:1',
    'https://far.example',
  ]) {
    t.equal(said(url), 0, url)
  }
  for (const url of ['http://10.0.0.1', 'http://127.0.0.1.evil.example', 'http://localhost.evil.example'])
    t.equal(said(url), 1, url)
})
