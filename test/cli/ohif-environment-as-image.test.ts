// `serve` in the place of the OHIF image, as a container runs it: the fixed paths, uid 101, nothing writable.
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { curl } from '../fixture/curl.ts'
import { makeImage, requireContainer, runContainer, startContainer } from './ohif-container.ts'
import { freePort, makePlace, pageFor, putViewer, script, selfSigned } from './ohif-place.ts'

/** `-v /path/to/certificate:… -v /path/to/private/key:…` @param keyMode  of the mounted key, which belongs to root */
function makeContainer(
  t: Test,
  keyMode: number,
  viewer: { folder: string; base: string } | undefined = { folder: '', base: '/' },
) {
  const place = makePlace(t, 'no viewer')
  makeImage(place)
  if (viewer.folder !== 'none') putViewer(place.put, `image/html${viewer.folder}`, viewer.base)
  const made = selfSigned(place, 'self-signed', ['-addext', 'subjectAltName=IP:127.0.0.1'])
  place.put('image/certs/ssl-certificate.crt', readFileSync(made.certificate))
  const key = place.put('image/private/ssl-private-key.key', readFileSync(made.key))
  chmodSync(key, keyMode)
  return { place, ca: made.certificate }
}

t.test(
  'SSL_PORT with both files mounted is TLS, as uid 101 on a read-only disk, after the documented chmod 644',
  async t => {
    if (!requireContainer(t)) return
    const { place, ca } = makeContainer(t, 0o644)
    const served = await startContainer(t, place, 'SSL_PORT')
    t.match(await curl(['--cacert', ca, `https://127.0.0.1:${served.port}/`]), {
      status: 200,
      version: '2',
      text: pageFor('/'),
    })
    const bundle = await curl(['--cacert', ca, `https://127.0.0.1:${served.port}/app.bundle.0f6159c501addfe9.js`])
    t.equal(bundle.text, script, 'emptied in favour of its .gz, and whole all the same')
    t.match(
      served.stderr(),
      /warning: \/etc\/ssl\/private\/ssl-private-key\.key holds a private key and others may read it \(mode 0644\)/,
      'a key that all may read is a warning, and no refusal',
    )
    t.match(readFileSync(`/proc/${served.pid}/status`, 'utf8'), /^Uid:\t101\t101\t/m)
    served.signal('SIGQUIT')
    t.equal((await served.ended).exitCode, 0, 'and stops as containers made from nginx are told to')
  },
)

t.test('seed 001: without SSL_PORT it is HTTP, even if both files are mounted', async t => {
  if (!requireContainer(t)) return
  const { place } = makeContainer(t, 0o644)
  const served = await startContainer(t, place, 'PORT', { APP_CONFIG: 'window.config = {}' })
  t.match(await curl([`http://127.0.0.1:${served.port}/`]), { status: 200, text: pageFor('/') })
  t.same(served.stderr().match(/^warning: .*$/gm), [
    'warning: PORT without SSL_PORT: plain HTTP, nothing is encrypted; /etc/ssl/certs/ssl-certificate.crt and /etc/ssl/private/ssl-private-key.key would be used with SSL_PORT=443',
  ])
  served.signal('SIGTERM')
  t.equal((await served.ended).exitCode, 0)
})

t.test('seed 001: a key that cannot be read is told by path, owner and mode, with the cure', async t => {
  if (!requireContainer(t)) return
  const { place } = makeContainer(t, 0o600)
  const { exitCode, stdout, stderr } = await runContainer(place, { SSL_PORT: String(await freePort()) })
  t.match({ exitCode, stdout }, { exitCode: 2, stdout: '' })
  t.match(stderr, 'error: this account may not read /etc/ssl/private/ssl-private-key.key (owner 0, mode 0600)')
  t.match(
    stderr,
    'hint: give it to the account that this runs as: chown 101 /etc/ssl/private/ssl-private-key.key && chmod 400 ',
  )
})

t.test('a key in a folder that is closed is told by the folder, its owner and mode', async t => {
  if (!requireContainer(t)) return
  const { place } = makeContainer(t, 0o644)
  chmodSync(place.file('image/private'), 0o710)
  const { exitCode, stderr } = await runContainer(place, { SSL_PORT: String(await freePort()) })
  t.equal(exitCode, 2)
  t.match(stderr, 'error: this account may not read /etc/ssl/private/ssl-private-key.key')
  t.match(stderr, 'hint: the folder /etc/ssl/private is closed to this account (owner 0, mode 0710; this is uid 101)')
})

t.test('a viewer that the image built for /ohif/ is found in the folder of that name', async t => {
  if (!requireContainer(t)) return
  const { place } = makeContainer(t, 0o644, { folder: '/ohif', base: '/ohif/' })
  writeFileSync(place.file('image/html/index.html'), '<!DOCTYPE html><title>Welcome to nginx!</title>')
  const served = await startContainer(t, place, 'PORT', { PUBLIC_URL: '/ohif/' })
  t.match(await curl([`http://127.0.0.1:${served.port}/ohif/viewer`]), { status: 200, text: pageFor('/ohif/') })
  t.match(await curl([`http://127.0.0.1:${served.port}/`]), { status: 302, headers: { location: '/ohif/' } })
})

t.test('nginx’s own page is no viewer, and the folder is named', async t => {
  if (!requireContainer(t)) return
  const { place } = makeContainer(t, 0o644, { folder: 'none', base: '/' })
  place.put('image/html/index.html', '<!DOCTYPE html><title>Welcome to nginx!</title>')
  const { exitCode, stderr } = await runContainer(place, { PORT: String(await freePort()) })
  t.equal(exitCode, 2)
  t.match(
    stderr,
    /no OHIF viewer is installed; looked in \/state\/ohif \(nothing there\), \/usr\/share\/nginx\/html \(a page that is not of OHIF\)\nhint: sallyport viewer install/,
  )
})
