// Where the state stands: a file, or a Redis; and what is wrong with an address is said without repeating a secret.
import t from 'tap'
import { parseConfig } from '../../src/config/load.ts'

function read(store: string) {
  const listeners = 'listeners: { web: { bind: "127.0.0.1:0", keystore: { certificate: a.pem } } }'
  const loaded = parseConfig(`${listeners}\nsessions:\n  store: ${store}\n`, '/etc/sallyport')
  if (loaded.ok) return { store: loaded.config.sessions.store, isShared: loaded.config.realms.local.isShared }
  return loaded.problems.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
}

t.test('a file or a Redis', async t => {
  t.strictSame(read('sqlite:state/x.db'), {
    store: { kind: 'sqlite', file: '/etc/sallyport/state/x.db' },
    isShared: false,
  })
  const plain = { host: '10.0.0.1', port: 6379, database: 0, username: undefined, password: undefined, tls: undefined }
  t.strictSame(read('redis://10.0.0.1'), { store: { kind: 'redis', ...plain }, isShared: true })
  t.match(read('rediss://[::1]:6380/2'), { store: { host: '::1', port: 6380, database: 2, tls: { depth: 0 } } })
  t.match(
    read('{ url: "rediss://r.example", username: gate, password: { file: pw }, ca: ca.pem, certificate: c, key: k }'),
    {
      store: {
        ...{ host: 'r.example', username: 'gate', password: { file: '/etc/sallyport/pw' } },
        tls: { ca: '/etc/sallyport/ca.pem', certificate: '/etc/sallyport/c', key: '/etc/sallyport/k' },
      },
    },
  )
})

t.test('what is wrong is told, with its place', async t => {
  const forms = 'sessions.store: write sqlite:PATH, redis://HOST:PORT or rediss://HOST:PORT'
  for (const store of ['state/x.db', '"sqlite:"', '"redis://"', 'http://localhost', '"redis://localhost:0"'])
    t.equal(read(store), forms, store)
  t.match(read('redis://gate:geheim@localhost'), /^sessions\.store: user and password of Redis do not belong/)
  t.notMatch(read('redis://gate:geheim@localhost'), /geheim/)
  t.match(read('redis://localhost/x'), /nothing but the number of a database/)
  t.match(read('{ url: "redis://localhost", ca: a }'), /^sessions\.store\.url: certificates are of no use without TLS/)
  t.match(read('{ url: "rediss://localhost", key: a }'), /^sessions\.store\.certificate: a key needs its certificate/)
  t.match(read('{ url: "redis://localhost", username: a }'), /^sessions\.store\.password: a user of Redis needs/)
  t.match(read('{ url: "redis://localhost", password: geheim }'), /^sessions\.store\.password: .*never written here/)
  t.match(read('{ url: "redis://localhost", paswort: a }'), /unknown key "paswort"/)
})
