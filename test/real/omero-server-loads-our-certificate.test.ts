// What `certs omero` makes is loaded by the router of OMERO.server, and checked by real Ice clients.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import { place, secret } from '../cli/certs-place.ts'
import { startAuthority } from '../fixture/authority.ts'
import { glacier2Tools, type IceProperties, startTlsRouter, type TlsRouter } from '../fixture/glacier2.ts'
import { requireReal } from '../fixture/real.ts'

/** As a shell and OMERO would: each `omero config set` line becomes a property of the router. */
function settingsIn(stdout: string, cwd: string): IceProperties {
  const print = `omero() { printf '%s=%s\\n' "$3" "$4"; }\n${stdout}`
  const lines = execFileSync('sh', ['-c', print], { cwd, encoding: 'utf8' }).trim().split('\n')
  return Object.fromEntries(
    lines.map(line => {
      const [, key = '', value = ''] = /^omero\.glacier2\.(\S+?)=(.*)$/.exec(line) ?? []
      return [key, value]
    }),
  )
}

async function startServer(t: Test, args: readonly string[] = ['--name', 'localhost', '--ip', '127.0.0.1']) {
  const here = await place(t)
  const made = await here.certs(['omero', ...args])
  t.equal(made.code, 0, made.stderr)
  const settings = settingsIn(made.stdout, here.cwd)
  return { ...here, settings, router: await startTlsRouter(t, settings) }
}

/** What an OMERO client sets to check the server: seed 000. */
const checking = (caFile: string): IceProperties => ({
  'IceSSL.CAs': caFile,
  'IceSSL.VerifyPeer': '1',
  'IceSSL.CheckCertName': '1',
  'IceSSL.VerifyDepthMax': '0',
})

t.test('a client that checks chain and name opens a session, by name and by address', async t => {
  if (!requireReal(t, glacier2Tools)) return
  const { file, router, settings } = await startServer(t)
  t.same(Object.keys(settings), [
    'IceSSL.DefaultDir',
    'IceSSL.CertFile',
    'IceSSL.Password',
    'IceSSL.CAs',
    'IceSSL.Ciphers',
    'IceSSL.Protocols',
  ])
  const ca = file('certs/omero/cacert.pem')
  const cases: Readonly<Record<string, [opened: boolean, properties: IceProperties, host?: string]>> = {
    'by name': [true, checking(ca)],
    'by address': [true, checking(ca), '127.0.0.1'],
    'TLS 1.2 only': [true, { ...checking(ca), 'IceSSL.Protocols': 'tls1_2' }],
    'TLS 1.3 only': [true, { ...checking(ca), 'IceSSL.Protocols': 'tls1_3' }],
    'TLS 1.1 only': [false, { ...checking(ca), 'IceSSL.Protocols': 'tls1_1', 'IceSSL.Ciphers': 'ALL:@SECLEVEL=0' }],
    'TrustOnly of its name': [true, { ...checking(ca), 'IceSSL.TrustOnly': 'CN=localhost' }],
    'TrustOnly of another name': [false, { ...checking(ca), 'IceSSL.TrustOnly': 'CN=omero.example.org' }],
    "OMERO's old anonymous ciphers": [
      false,
      { 'IceSSL.VerifyPeer': '0', 'IceSSL.Protocols': 'tls1_2', 'IceSSL.Ciphers': 'ADH:@SECLEVEL=0' },
    ],
  }
  for (const [what, [opened, properties, host]] of Object.entries(cases))
    t.match(await router.session(properties, host), { opened }, what)

  const rogue = await startAuthority(t, 'Test CA')
  const refused = await router.session(checking(rogue.caFile))
  t.match(
    refused,
    { opened: false, said: /certificate verify failed|self.signed|unable to get/i },
    'another authority, of the same name',
  )
})

t.test('a client that asks for a name that is not in it is refused by itself', async t => {
  if (!requireReal(t, glacier2Tools)) return
  const { file, router } = await startServer(t, ['--name', 'omero.example.org'])
  t.match(await router.session(checking(file('certs/omero/cacert.pem'))), {
    opened: false,
    said: /IceSSL|certificate/i,
  })
  t.match(await router.session({ ...checking(file('certs/omero/cacert.pem')), 'IceSSL.CheckCertName': '0' }), {
    opened: true,
  })
})

const forms: Readonly<Record<string, readonly string[]>> = {
  compat: ['--format', 'compat'],
  'an elliptic curve': ['--key', 'ec-p256'],
  'a password from a file': ['--password-file', 'a password file'],
}
for (const [form, args] of Object.entries(forms)) {
  t.test(`the router loads it in every form: ${form}`, async t => {
    if (!requireReal(t, glacier2Tools)) return
    const here = await place(t)
    here.put('a password file', `${secret}\n`)
    const made = await here.certs(['omero', '--name', 'localhost', ...args])
    t.equal(made.code, 0, made.stderr)
    if (form === 'a password from a file') t.notMatch(made.stdout + made.stderr, secret)
    const router = await startTlsRouter(t, settingsIn(made.stdout, here.cwd))
    t.match(await router.session(checking(here.file('certs/omero/cacert.pem'))), { opened: true })
  })
}

t.test('a renewed certificate keeps the key, so that whoever pinned it goes on to trust it', async t => {
  if (!requireReal(t, glacier2Tools)) return
  const { certs, cwd, file, router } = await startServer(t)
  const key = readFileSync(file('certs/omero/server.key'))
  const before = await shown(router)
  const again = await certs(['omero', '--name', 'localhost'])
  t.match(again, { code: 0, stdout: /server\.key {2}the key, the one that was there/ })
  t.same(readFileSync(file('certs/omero/server.key')), key)
  const after = await shown(await startTlsRouter(t, settingsIn(again.stdout, cwd)))
  t.not(after.fingerprint256, before.fingerprint256, 'another certificate')
  t.same(after.publicKey, before.publicKey, 'of the same key')
})

/** What the router presents to whoever calls. */
async function shown({ port }: TlsRouter) {
  const { promise, resolve, reject } = Promise.withResolvers<{ fingerprint256: string; publicKey: Buffer }>()
  // Nothing is trusted here: the certificate itself is what is looked at.
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false }, () => {
    const certificate = socket.getPeerX509Certificate()
    if (certificate === undefined) reject(new Error('the router showed no certificate'))
    else
      resolve({
        fingerprint256: certificate.fingerprint256,
        publicKey: certificate.publicKey.export({ type: 'spki', format: 'der' }),
      })
    socket.destroy()
  })
  socket.once('error', reject)
  return promise
}
