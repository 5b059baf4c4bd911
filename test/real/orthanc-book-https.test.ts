/**
 * The page "HTTPS encryption with Orthanc" of the Orthanc Book, lived through: its openssl commands, its configuration
 * imported and served, its curl commands, its peers and its browser; behind it a real Orthanc.
 *
 * Not to forget: the certificates are the book's own, self-signed for CN=localhost, without SAN and without extended key
 * usage. Browsers want a SAN of a server, so the browser gets a gateway with a certificate of ours before the book's list.
 *
 * Source: Orthanc Book, faq/https.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { freePorts } from '../../src/demo/free-port.ts'
import { importOrthanc } from '../../src/import/orthanc.ts'
import { chromiumTools, startChromium } from '../fixture/chromium.ts'
import { runCommand, startCommand } from '../fixture/command.ts'
import { curl, curlTools } from '../fixture/curl.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { orthancTools, startOrthanc } from '../fixture/orthanc.ts'
import { requireReal, requireRoot } from '../fixture/real.ts'

/** A folder in which the book's commands were typed. */
function startBook(t: Pick<Test, 'teardown'>) {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-book-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const shell = (command: string, input?: string) =>
    execFileSync('sh', ['-ec', command], { cwd: dir, stdio: 'pipe', ...(input === undefined ? {} : { input }) })
  return {
    dir,
    in: (name: string) => join(dir, name),
    read: (name: string) => readFileSync(join(dir, name), 'utf8'),
    shell,
  }
}

/** What openssl asks: country, state, town, organisation, unit, common name, e-mail. */
const answers = '\n\n\n\n\nlocalhost\n\n'

const selfSigned = `openssl req -x509 -nodes -days 365 -newkey rsa:2048 -keyout private.key -out certificate.crt
cat private.key certificate.crt > certificate.pem`
const withClient = String.raw`openssl req -x509 -nodes -days 365 -newkey rsa:2048 \
  -keyout server.key -out server.crt -subj "/C=BE/CN=localhost"
openssl req -x509 -nodes -days 365 -newkey rsa:2048 \
  -keyout client.key -out client.crt -subj "/C=BE/CN=localhost"
cat server.key server.crt > server.pem
openssl pkcs12 -export -in client.crt -inkey client.key -out client.p12 -passout pass:`

/** What this Orthanc calls itself: no other one does. */
const nameOf = async (url: string): Promise<string> => {
  const { Name: name } = (await (await fetch(`${url}/system`)).json()) as { Name: string } // Orthanc's own shape
  return name
}

type Book = ReturnType<typeof startBook>

/** The book's configuration, imported and served in front of a real Orthanc that has moved aside. */
async function serveBook(t: Test, book: Book, settings: object, tries = 3) {
  const orthanc = await startOrthanc(t)
  const [port = 0] = await freePorts(1, '127.0.0.1')
  const place = { HttpPort: port, HttpBindAddresses: ['127.0.0.1'], DicomServerEnabled: false }
  writeFileSync(book.in('orthanc.json'), JSON.stringify({ ...settings, ...place }))
  book.shell('rm -f draft.yaml')
  const imported = await runCommand(['import', 'orthanc', 'orthanc.json', '--out', 'draft.yaml'], { cwd: book.dir })
  if (imported.exitCode !== 0) throw new Error(imported.stderr)
  // The draft sends to port + 10000; this Orthanc stands elsewhere.
  const draft = book.read('draft.yaml').replace(/(url: http:\/\/127\.0\.0\.1):\d+/, `$1:${orthanc.port}`)
  writeFileSync(book.in('sallyport.yaml'), draft)
  const gateway = startCommand(t, ['serve', '--config', 'sallyport.yaml'], { cwd: book.dir })
  const [shown] = await gateway.shows(/^listening https:\/\/127\.0\.0\.1:\d+ \(web\)$|already in use/m)
  // The port is a guess: between looking and binding somebody else may come.
  if (shown === 'already in use' && tries > 1) return serveBook(t, book, settings, tries - 1)
  return { port, url: `https://localhost:${port}`, name: await nameOf(orthanc.url) }
}

t.test('one PEM with key and certificate, in either order, made by the commands of the book', async t => {
  if (!requireReal(t, [...orthancTools, ...curlTools, 'openssl'])) return
  const book = startBook(t)
  book.shell(selfSigned, answers)
  const { url, port } = await serveBook(t, book, { SslEnabled: true, SslCertificate: book.in('certificate.pem') })

  const plain = await curl([`http://localhost:${port}/studies`])
  t.match(plain, { status: 400, text: /https/ }, 'plain HTTP is told to use https, where Orthanc gave an empty reply')
  t.ok(plain.text.length < 200, 'in a few words')

  const unknown = await curl([`${url}/studies`])
  t.equal(unknown.exitCode, 60, 'curl does not know the certificate')
  const known = await curl(['--cacert', book.in('certificate.crt'), `${url}/studies`])
  t.match(known, { exitCode: 0, status: 401 }, 'and with --cacert it does; Orthanc let everybody in, the draft nobody')

  await t.test('an upstream is trusted by the file of HttpsCACertificates, and by no other', async t => {
    const client = startBook(t)
    const settings = { OrthancPeers: { https: [`${url}/`] }, DicomServerEnabled: false }
    client.shell(
      'mkdir certs && openssl req -x509 -nodes -newkey rsa:2048 -subj /CN=x -keyout certs/server.key -out certs/server.pem',
    )
    const look = async (ca: string) => {
      const text = JSON.stringify({ HttpsCACertificates: ca, ...settings })
      const imported = importOrthanc([{ file: client.in('orthanc.json'), text }], {})
      writeFileSync(client.in('sallyport.yaml'), imported.ok ? imported.draft : '')
      const args = ['check', '--config', 'sallyport.yaml', '--online']
      const { stdout, stderr } = await runCommand(args, { cwd: client.dir })
      return stdout.split('\n').find(line => /upstream https/.test(line)) ?? stdout + stderr
    }
    t.match(await look(book.in('certificate.crt')), /it answers, but wants a sign-in/, 'the handshake is made')
    const other = client.in('certs/server.pem')
    t.match(await look(other), new RegExp(`^FAILED .*nothing in ${other} vouches for it`), 'the file is named')
  })

  book.shell('cat certificate.crt private.key > certificate.pem && chmod 600 certificate.pem')
  const checked = await runCommand(['check', '--config', 'sallyport.yaml'], { cwd: book.dir })
  t.match(checked, { exitCode: 0, stderr: '' }, 'certificate first, key behind it')
})

t.test('a self-signed client certificate without SAN and extended key usage opens the gate', async t => {
  if (!requireReal(t, [...orthancTools, ...curlTools, 'openssl'])) return
  const book = startBook(t)
  book.shell(withClient)
  book.shell('openssl req -x509 -nodes -newkey rsa:2048 -keyout other.key -out other.crt -subj "/C=BE/CN=localhost"')
  const { url, name } = await serveBook(t, book, {
    SslEnabled: true,
    SslCertificate: 'server.pem',
    SslVerifyPeers: true,
    SslTrustedClientCertificates: 'client.crt',
  })
  const ask = (...args: readonly string[]) => curl(['--cacert', book.in('server.crt'), ...args, `${url}/system`])

  const p12 = await ask('--cert-type', 'P12', '--cert', `${book.in('client.p12')}:`)
  t.match(p12, { status: 200, text: name }, 'as PKCS#12 with an empty password')
  const pem = await ask('--cert', book.in('client.crt'), '--key', book.in('client.key'))
  t.match(pem, { status: 200, text: name }, 'as PEM')

  const none = await ask()
  t.equal(none.status, 400)
  t.match(none.text, /certificate-missing/)
  const stranger = await ask('--cert', book.in('other.crt'), '--key', book.in('other.key'))
  t.equal(stranger.status, 400, 'one of the same name, not in the list')
  t.match(stranger.text, /certificate-not-trusted/)

  await t.test('peers: the certificate of the server is the CA file, the client certificate the key', async t => {
    const peer = { Url: url, CertificateFile: book.in('client.crt'), CertificateKeyFile: book.in('client.key') }
    const called = await startOrthanc(t, {
      extra: {
        HttpsCACertificates: book.in('server.crt'),
        OrthancPeers: { 'orthanc-b': { ...peer, CertificateKeyPassword: '' }, https: [`${url}/`] },
      },
    })
    const system = await fetch(`${called.url}/peers/orthanc-b/system`)
    t.equal(system.status, 200)
    t.match(await system.json(), { Name: name })
    t.not((await fetch(`${called.url}/peers/https/system`)).status, 200, 'without a certificate it stays outside')
  })

  await t.test('peers: without the CA file nothing is sent', async t => {
    const called = await startOrthanc(t, { extra: { OrthancPeers: { https: [`${url}/`] } } })
    const answer = await fetch(`${called.url}/peers/https/system`)
    t.equal(answer.status, 500)
  })
})

t.test('a browser with client.p12 comes in', async t => {
  if (!requireReal(t, [...orthancTools, ...chromiumTools, 'openssl'])) return
  if (!requireRoot(t, 'browser policy')) return
  const book = startBook(t)
  book.shell(withClient)
  const orthanc = await startOrthanc(t)
  const gateway = await startTestGateway(t, {
    certificate: 'required',
    trusted: [book.read('client.crt')],
    yaml: `
upstreams: { orthanc: { kind: orthanc, url: "${orthanc.url}" } }
routes: [{ path: /, upstream: orthanc, access: authenticated }]`,
  })
  const browser = await startChromium(t, {
    caFile: gateway.authority.caFile,
    p12: { file: book.in('client.p12'), password: '' },
    autoSelectFor: { pattern: `https://localhost:${gateway.port}`, issuer: 'localhost' },
  })
  const page = await browser.newPage()
  const answer = await page.goto(`${gateway.url}/system`)
  t.equal(answer?.status(), 200)
  t.match(await page.textContent('body'), await nameOf(orthanc.url))
})
