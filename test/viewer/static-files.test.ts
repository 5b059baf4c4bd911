// The viewer's files come out of their folder as a browser wants them, and nothing else does.
import { mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { Fault } from '../../src/kernel/fault.ts'
import { openViewer, type ViewerSettings } from '../../src/viewer/static-files.ts'
import { type Answered, startFrontDoor } from '../fixture/front-door.ts'

const script = `console.log(${JSON.stringify('sallyport '.repeat(400))})\n`
const page = '<!doctype html><script>window.PUBLIC_URL="/"</script><script src="/app.js"></script><div id="root"></div>'

async function start(t: Test, settings?: ViewerSettings) {
  const dir = t.testdir({
    'secret.txt': 'outside',
    viewer: {
      'index.html': page,
      'app.bundle.0f6159c501addfe9.js': script,
      'plain.js': script,
      'small.js': 'let a = 1',
      'module.mjs': 'export default 1',
      'decoder.wasm': Buffer.alloc(4096, 7),
      'picture.png': Buffer.from(Array.from({ length: 5000 }, (_, at) => at % 251)),
      'sw.js': 'self',
      'app-config.js': 'window.config = "a demonstration server in a cloud"',
      'hollow.js': '',
      'hollow.js.gz': gzipSync(script),
      'really-empty.js': '',
      '.hidden': 'no',
      'two words.txt': 'read me',
      LICENSE: 'MIT',
      assets: { 'logo.svg': `<svg>${'x'.repeat(2000)}</svg>`, '.git': { config: 'no' } },
      plugins: { 'there.js': 'here' },
    },
  })
  const root = join(dir, 'viewer')
  const thrown: unknown[] = []
  const viewer = openViewer({ kind: 'ohif', root, dicomWeb: '/dicom-web' }, settings)
  const door = await startFrontDoor(
    t,
    exchange => viewer.serve(exchange, exchange.request.target.split('?')[0] ?? '/'),
    {
      onThrown(error, exchange) {
        thrown.push(error)
        if (exchange.reply.status === undefined)
          exchange.reply.send(error instanceof Fault ? error.status : 500, [], '')
      },
    },
  )
  const get = (path: string, headers: Record<string, string> = {}) => door.ask(path, { headers })
  return { dir, root, viewer, door, get, thrown }
}

const decoded = ({ headers, bytes }: Answered): string => {
  const coding = headers['content-encoding']
  const plain = coding === 'br' ? brotliDecompressSync(bytes) : coding === 'gzip' ? gunzipSync(bytes) : bytes
  return plain.toString('utf8')
}

t.test('a file goes out with its type, its length, and the headers that fence the viewer in', async t => {
  const { get } = await start(t)
  const answer = await get('/plain.js')
  t.equal(answer.status, 200)
  t.equal(answer.text, script)
  t.match(answer.headers, {
    'content-type': 'text/javascript; charset=utf-8',
    'content-length': String(script.length),
    'x-content-type-options': 'nosniff',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
    'cross-origin-resource-policy': 'same-origin',
    'content-security-policy': /default-src 'self'/,
    'x-request-id': /^[0-9a-f-]{36}$/,
    vary: 'accept-encoding',
  })
  const types = { '/decoder.wasm': 'application/wasm', '/module.mjs': /^text\/javascript/, '/picture.png': 'image/png' }
  for (const [path, type] of Object.entries(types)) t.match((await get(path)).headers['content-type'], type)
  t.equal((await get('/two%20words.txt')).text, 'read me')
  t.equal((await get('/LICENSE')).text, 'MIT', 'a file without extension is a file all the same')
})

t.test('a path that belongs to the app gets its page, and a missing file does not', async t => {
  const { get } = await start(t)
  for (const path of [
    '/',
    '/viewer',
    '/viewer?StudyInstanceUIDs=1.2.840',
    '/viewer/',
    '/assets',
    '/a/b/c',
    '/index.html',
  ]) {
    const answer = await get(path)
    t.equal(answer.status, 200, path)
    t.equal(answer.text, page)
    t.equal(answer.headers['cache-control'], 'no-store')
    t.equal(answer.headers['etag'], undefined)
  }
  for (const path of ['/missing.js', '/assets/logo.png', '/plugins/', '/plugins/x', '/plugins']) {
    const answer = await get(path)
    t.equal(answer.status, 404, path)
    t.equal(answer.headers['cache-control'], 'no-store')
    t.equal(answer.headers['cross-origin-embedder-policy'], 'require-corp')
  }
  t.equal((await get('/plugins/there.js')).status, 200)
})

t.test('the policy of a page names its own inline scripts and allows no other', async t => {
  const { get } = await start(t)
  const policy = (await get('/')).headers['content-security-policy'] ?? ''
  // printf '%s' 'window.PUBLIC_URL="/"' | openssl dgst -sha256 -binary | base64
  t.match(policy, "'sha256-iDPt/Ua3DNNwIdzDqulCGYDYPv58ixnA75eez8NxOJg='")
  t.notMatch(/script-src[^;]*/.exec(policy)?.[0], "'unsafe-inline'")
  t.notMatch(policy, 'https:')
})

t.test('nothing outside the folder is ever served', async t => {
  const { dir, root, get } = await start(t)
  symlinkSync(join(dir, 'secret.txt'), join(root, 'leak.txt'))
  symlinkSync(dir, join(root, 'up'))
  symlinkSync(join(root, 'LICENSE'), join(root, 'inside.txt'))
  symlinkSync(join(root, '.hidden'), join(root, 'shown.txt'))
  symlinkSync('loop.txt', join(root, 'loop.txt'))
  const paths = [
    ...['/leak.txt', '/up/secret.txt', '/shown.txt', '/loop.txt'],
    ...[
      '/.hidden',
      '/assets/.git/config',
      '/assets/.git/',
      '/..%2fsecret.txt',
      '/%2e%2e/secret.txt',
      '/assets/..%2f..%2fsecret.txt',
    ],
    ...['/../secret.txt', '/..%5csecret.txt', '/plain.js%00', '/%', '/%ff.txt', '/plain.js/', `/${'a'.repeat(300)}.js`],
  ]
  for (const path of paths) {
    const answer = await get(path)
    if (path === '/plain.js/') t.equal(answer.status, 200, 'empty segments are nothing')
    else t.equal(answer.status, 404, path)
    t.notMatch(answer.text, /outside|^no$/)
  }
  t.equal((await get('/inside.txt')).text, 'MIT', 'a link that stays inside is followed')
})

t.test('only GET and HEAD are answered', async t => {
  const { door } = await start(t)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND']) {
    const answer = await door.ask('/plain.js', { method })
    t.equal(answer.status, 405, method)
    t.equal(answer.headers['allow'], 'GET, HEAD')
  }
  const head = await door.ask('/plain.js', { method: 'HEAD' })
  t.equal(head.status, 200)
  t.equal(head.headers['content-length'], String(script.length))
  t.equal(head.bytes.length, 0)
})

t.test('text is compressed as the client likes it best', async t => {
  const { get } = await start(t)
  const cases: [string, string | undefined][] = [
    ['gzip, deflate, br', 'br'],
    ['br;q=0.5, gzip', 'gzip'],
    ['gzip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['*', 'br'],
    ['br;q=0, *', 'gzip'],
    ['identity', undefined],
    ['', undefined],
    ['deflate', undefined],
    ['gzip;q=0', undefined],
    ['identity;q=1, gzip;q=0.5', undefined],
    ['identity;q=0.5, gzip;q=1.0', 'gzip'],
    ['gzip;q=nonsense', undefined],
    ['gzip;q=1.5', undefined],
  ]
  for (const [accepted, coding] of cases) {
    const answer = await get('/plain.js', { 'accept-encoding': accepted })
    t.equal(answer.headers['content-encoding'], coding, JSON.stringify(accepted))
    t.equal(decoded(answer), script)
    t.equal(answer.headers['vary'], 'accept-encoding')
  }
  for (const accepted of ['identity;q=0', '*;q=0', 'br;q=0, gzip;q=0, identity;q=0']) {
    t.equal((await get('/plain.js', { 'accept-encoding': accepted })).status, 406, accepted)
  }
})

t.test('what is small or binary goes out as it is, unless the client takes nothing as it is', async t => {
  const { get } = await start(t)
  for (const path of ['/small.js', '/picture.png']) {
    t.equal((await get(path, { 'accept-encoding': 'gzip, br' })).headers['content-encoding'], undefined, path)
    t.equal((await get(path, { 'accept-encoding': 'gzip, identity;q=0' })).headers['content-encoding'], 'gzip', path)
  }
  t.equal((await get('/decoder.wasm', { 'accept-encoding': 'br' })).headers['content-encoding'], 'br')
})

t.test('a script that was emptied in favour of its .gz is whole for everyone', async t => {
  const { get } = await start(t)
  for (const accepted of ['gzip', 'br', 'identity', 'br, gzip']) {
    const answer = await get('/hollow.js', { 'accept-encoding': accepted })
    t.equal(answer.status, 200)
    t.equal(decoded(answer), script, accepted)
    t.match(answer.headers['content-type'], /^text\/javascript/)
  }
  t.equal(
    (await get('/hollow.js', { 'accept-encoding': 'br, gzip' })).headers['content-encoding'],
    'gzip',
    'as it lies there',
  )
  const part = await get('/hollow.js', { range: 'bytes=0-6' })
  t.equal(part.text, 'console')
  t.equal((await get('/really-empty.js', { 'accept-encoding': 'gzip' })).bytes.length, 0)
})

t.test('a packed neighbour is used, unless the file was changed after it', async t => {
  const { root, get } = await start(t)
  writeFileSync(join(root, 'plain.js.gz'), gzipSync(`${script}// packed`))
  const used = await get('/plain.js', { 'accept-encoding': 'gzip' })
  t.equal(decoded(used), `${script}// packed`)
  utimesSync(join(root, 'plain.js.gz'), 1000, 1000)
  const ignored = await get('/plain.js', { 'accept-encoding': 'gzip' })
  t.equal(decoded(ignored), script)
})

t.test('browsers keep what never changes and ask again for the rest', async t => {
  const { root, get } = await start(t)
  t.equal(
    (await get('/app.bundle.0f6159c501addfe9.js')).headers['cache-control'],
    'public, max-age=31536000, immutable',
  )
  t.equal((await get('/sw.js')).headers['cache-control'], 'no-cache')
  t.equal((await get('/app-config.js')).headers['cache-control'], 'no-cache')
  t.equal((await get('/plain.js')).headers['cache-control'], 'max-age=300, must-revalidate')

  const { etag = '' } = (await get('/plain.js')).headers
  const held = await get('/plain.js', { 'if-none-match': `"other", W/${etag}` })
  t.equal(held.status, 304)
  t.equal(held.bytes.length, 0)
  t.equal(held.headers['etag'], etag)
  t.match(held.headers, { 'cache-control': /max-age/, vary: 'accept-encoding' })
  const other = await get('/plain.js', { 'if-none-match': etag, 'accept-encoding': 'br' })
  t.equal(other.status, 200, 'another coding is another representation')

  writeFileSync(join(root, 'plain.js'), `${script}// new`)
  const changed = await get('/plain.js', { 'if-none-match': etag })
  t.equal(changed.status, 200)
  t.match(changed.text, '// new')
})

t.test('one part of a file may be asked for', async t => {
  const { get } = await start(t)
  const size = 5000
  const whole = (await get('/picture.png')).bytes
  const cases: [string, number, number][] = [
    ['bytes=0-9', 0, 9],
    ['bytes=4990-', 4990, 4999],
    ['bytes=-10', 4990, 4999],
    ['bytes=-99999', 0, 4999],
    ['bytes=10-99999', 10, 4999],
  ]
  for (const [range, first, last] of cases) {
    const answer = await get('/picture.png', { range })
    t.equal(answer.status, 206, range)
    t.equal(answer.headers['content-range'], `bytes ${first}-${last}/${size}`)
    t.ok(answer.bytes.equals(whole.subarray(first, last + 1)))
  }
  for (const range of ['bytes=0-1,3-4', 'lines=1-2', 'bytes=9-3', 'bytes=-', 'bytes=a-b']) {
    t.equal((await get('/picture.png', { range })).status, 200, range)
  }
  for (const range of ['bytes=5000-', 'bytes=-0']) {
    const answer = await get('/picture.png', { range })
    t.equal(answer.status, 416, range)
    t.equal(answer.headers['content-range'], `bytes */${size}`)
  }
  const { etag = '' } = (await get('/picture.png')).headers
  t.equal((await get('/picture.png', { range: 'bytes=0-1', 'if-range': etag })).status, 206)
  t.equal((await get('/picture.png', { range: 'bytes=0-1', 'if-range': '"old"' })).status, 200)
  const coded = await get('/plain.js', { range: 'bytes=0-1', 'accept-encoding': 'gzip' })
  t.equal(coded.status, 200, 'parts are parts of the plain file only')
  t.equal(decoded(coded), script)
})

t.test('a large file is streamed, and reading stops when the client goes', async t => {
  const { root, get, door, thrown } = await start(t)
  const big = Buffer.alloc(24 * 1024 * 1024, 'sallyport')
  writeFileSync(join(root, 'big.png'), big)
  const whole = await get('/big.png')
  t.ok(whole.bytes.equals(big))
  t.equal(whole.headers['content-length'], String(big.length))
  const part = await get('/big.png', { range: 'bytes=5-12000000' })
  t.ok(part.bytes.equals(big.subarray(5, 12_000_001)))
  const head = await door.ask('/big.png', { method: 'HEAD' })
  t.equal(head.headers['content-length'], String(big.length))

  const answer = await door.open('/big.png')
  answer.destroy()
  t.equal((await get('/small.js')).status, 200)
  t.same(thrown, [], 'a client that goes away is nobody’s fault')
})

t.test('many clients who ask for the same script wait for one compression', async t => {
  const { root, get } = await start(t)
  writeFileSync(
    join(root, 'heavy.js'),
    Array.from({ length: 200_000 }, (_, at) => `let v${at} = ${at * 7919}\n`).join(''),
  )
  const first = Date.now()
  await get('/heavy.js', { 'accept-encoding': 'br' })
  const once = Date.now() - first
  writeFileSync(
    join(root, 'heavy.js'),
    Array.from({ length: 200_000 }, (_, at) => `let w${at} = ${at * 7919}\n`).join(''),
  )
  const begun = Date.now()
  const answers = await Promise.all(Array.from({ length: 12 }, () => get('/heavy.js', { 'accept-encoding': 'br' })))
  t.ok(answers.every(answer => answer.bytes.equals(answers[0]?.bytes ?? Buffer.alloc(0))))
  t.ok(Date.now() - begun < once * 6 + 500, `twelve at once took ${Date.now() - begun} ms, one alone ${once} ms`)
})

t.test('app-config.js is the gateway’s own', async t => {
  const { get } = await start(t)
  const { text } = await get('/app-config.js')
  t.notMatch(text, 'cloud')
  const window: { config?: Record<string, unknown> } = {}
  class Observer {
    observe() {}
  }
  new Function('window', 'PerformanceObserver', text)(window, Observer)
  t.match(window.config, {
    investigationalUseDialog: { option: 'never' },
    maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 25 },
    dataSources: [
      {
        configuration: {
          qidoRoot: '/dicom-web',
          wadoRoot: '/dicom-web',
          omitQuotationForMultipartRequest: true,
          dicomUploadEnabled: true,
          bulkDataURI: { enabled: true },
        },
      },
    ],
  })
})

t.test('settings of one’s own replace app-config.js and may name other servers', async t => {
  const { get } = await start(t, { appConfig: 'window.config = { mine: true }' })
  const answer = await get('/app-config.js')
  t.equal(answer.text, 'window.config = { mine: true }')
  t.match(answer.headers['content-security-policy'], /connect-src 'self' blob: data: https: wss:/)
})

t.test(
  'settings that lie in the folder are served only where that is asked for, whatever is packed beside them',
  async t => {
    const { root, get } = await start(t, { appConfig: { from: 'folder' } })
    // The .gz is what the viewer was built with; the file is what somebody mounted, and it may well be older.
    writeFileSync(join(root, 'app-config.js.gz'), gzipSync('window.config = "as built"'))
    utimesSync(join(root, 'app-config.js'), 1000, 1000)
    for (const accepted of ['gzip', 'br', 'identity']) {
      const answer = await get('/app-config.js', { 'accept-encoding': accepted })
      t.equal(decoded(answer), 'window.config = "a demonstration server in a cloud"', accepted)
      t.equal(answer.headers['content-length'], String(answer.bytes.length))
      t.equal(answer.headers['cache-control'], 'no-cache')
    }
    writeFileSync(join(root, 'app-config.js'), '')
    for (const accepted of ['gzip', 'identity'])
      t.equal(
        decoded(await get('/app-config.js', { 'accept-encoding': accepted })),
        'window.config = "as built"',
        accepted,
      )
    rmSync(join(root, 'app-config.js'))
    rmSync(join(root, 'app-config.js.gz'))
    t.equal((await get('/app-config.js')).status, 404, 'and ours does not take its place')
  },
)

t.test('the fence around the viewer is closed, and opens no wider than is asked', async t => {
  const closed = (await (await start(t)).get('/')).headers
  t.match(closed['strict-transport-security'], /max-age=\d{8}/)
  t.match(closed['content-security-policy'], /frame-src 'self' blob:; frame-ancestors 'self';/)

  const open = await start(t, { fence: { reach: ['http:'], embeddable: true, strictTransport: false } })
  for (const path of ['/', '/plain.js', '/missing.js']) {
    const { headers } = await open.get(path)
    t.equal(headers['strict-transport-security'], undefined, path)
    t.match(
      headers['content-security-policy'],
      /connect-src 'self' blob: data: http:;.* frame-src 'self' blob: http:;/,
      path,
    )
    t.notMatch(headers['content-security-policy'], /frame-ancestors/, path)
    t.match(headers, { 'cross-origin-embedder-policy': 'require-corp', 'x-content-type-options': 'nosniff' }, path)
  }

  const own = await start(t, { fence: { policy: "default-src 'none'" } })
  for (const path of ['/', '/plain.js', '/missing.js'])
    t.equal((await own.get(path)).headers['content-security-policy'], "default-src 'none'", path)
})

t.test('a viewer that is not installed is a fault that says so, until it is installed', async t => {
  const { root, viewer, get, thrown } = await start(t)
  t.equal(await viewer.isInstalled(), true)
  rmSync(root, { recursive: true })
  t.equal(await viewer.isInstalled(), false)
  t.equal((await get('/')).status, 503)
  t.match(thrown, [{ code: 'viewer-missing' }])
  mkdirSync(root)
  t.equal((await get('/viewer')).status, 503)
  writeFileSync(join(root, 'index.html'), page)
  t.equal((await get('/viewer')).status, 200)
})
