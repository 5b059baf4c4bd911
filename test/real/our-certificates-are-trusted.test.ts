/**
 * What the commands make, in the hands of those who have to take it.
 *
 * Elsewhere: Chromium with its own store (a-browser-certificate-opens-a-ct-in-ohif), dcmtk (dicom-nodes-over-tls), Ice
 * (omero-server-loads-our-certificate), every key and password by openssl and NSS (issuer/pkcs12, issuer/leaf).
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createSecureContext, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { type Place, place, secret } from '../cli/certs-place.ts'
import { startAuthority } from '../fixture/authority.ts'
import { curl, curlTools } from '../fixture/curl.ts'
import { firefoxTools, visitWithFirefox } from '../fixture/firefox.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { requireReal } from '../fixture/real.ts'
import { startUpstream } from '../fixture/upstream.ts'

function run(command: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  return { status, said: `${stdout}\n${stderr}` }
}
const keytool = (...args: string[]) => run('keytool', '-J-Duser.language=en', ...args)

/** alice's certificate and a server's, both from the commands, with a password that we know. */
async function made(t: Test, format: string): Promise<Place> {
  const here = await place(t)
  here.put('password', `${secret}\n`)
  for (const [verb, name] of [
    ['client', 'alice'],
    ['server', 'localhost'],
  ] as const) {
    const outcome = await here.certs([verb, name, '--format', format, '--password-file', 'password'])
    t.equal(outcome.code, 0, `certs ${verb}: ${outcome.stderr}`)
  }
  return here
}

/** Who opens a PKCS#12 file, and proves that the key and the chain of two came out of it. */
const readers: Readonly<
  Record<string, { tools: readonly string[]; open(t: Test, here: Place): Promise<void> | void }>
> = {
  openssl: {
    tools: ['openssl'],
    open(t, { openssl, file }) {
      const all = openssl('pkcs12', '-in', file('certs/alice.p12'), '-passin', `file:${file('password')}`, '-nodes')
      t.equal(all.match(/BEGIN CERTIFICATE/g)?.length, 2)
      t.match(all, /BEGIN PRIVATE KEY/)
    },
  },
  'pk12util (Firefox, Chrome on Linux)': {
    tools: ['certutil', 'pk12util'],
    open(t, { cwd, file }) {
      const store = ['-d', `sql:${cwd}`]
      run('certutil', '-N', ...store, '--empty-password')
      t.match(run('pk12util', '-i', file('certs/alice.p12'), ...store, '-w', file('password')), { status: 0 })
      t.match(run('certutil', '-K', ...store).said, 'alice', 'the key is in the store')
      t.match(run('certutil', '-O', ...store, '-n', 'alice').said, /Test CA[\s\S]*alice/, 'with its chain')
    },
  },
  'keytool (Java), copied into a keystore of its own': {
    tools: ['keytool'],
    open(t, { file }) {
      const from = [
        '-srckeystore',
        file('certs/alice.p12'),
        '-srcstoretype',
        'PKCS12',
        '-srcstorepass:file',
        file('password'),
      ]
      const to = ['-destkeystore', file('java.jks'), '-deststoretype', 'JKS', '-deststorepass:file', file('password')]
      t.match(keytool('-importkeystore', '-noprompt', ...from, ...to), {
        status: 0,
        said: /1 entries successfully imported/,
      })
      const listed = keytool('-list', '-v', '-keystore', file('java.jks'), '-storepass:file', file('password'))
      t.match(listed.said, /Entry type: PrivateKeyEntry\nCertificate chain length: 2\n/)
    },
  },
  Node: {
    tools: [],
    open(t, { file }) {
      t.ok(createSecureContext({ pfx: readFileSync(file('certs/alice.p12')), passphrase: secret }))
    },
  },
  curl: {
    tools: curlTools,
    async open(t, { file }) {
      const pfx = readFileSync(file('certs/server.p12'))
      const ca = readFileSync(file('certs/authority/ca.pem'))
      const server = createServer({ pfx, passphrase: secret, ca, requestCert: true }, (request, response) => {
        const socket = request.socket as TLSSocket // safe: the server is one of HTTPS
        response.end(`${socket.getPeerX509Certificate()?.subject}`)
      })
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
      t.teardown(() => server.close())
      const { port } = server.address() as AddressInfo // safe: a listening TCP server has an address and a port
      const p12 = ['--cert-type', 'P12', '--cert', `${file('certs/alice.p12')}:${secret}`]
      const answer = await curl(['--cacert', file('certs/authority/ca.pem'), ...p12, `https://localhost:${port}/`])
      t.match(answer, { status: 200, text: 'CN=alice' }, answer.complaint)
    },
  },
}
for (const format of ['modern', 'compat']) {
  t.test(`a ${format} PKCS#12 file from the command line is opened by everybody`, async t => {
    const here = await made(t, format)
    for (const [reader, { tools, open }] of Object.entries(readers)) {
      await t.test(reader, async t => {
        if (requireReal(t, tools)) await open(t, here)
      })
    }
  })
}

t.test('NSS takes the server for a server and the client for a client, and neither for the other', async t => {
  if (!requireReal(t, ['certutil'])) return
  const { cwd, file } = await made(t, 'modern')
  const store = ['-d', `sql:${cwd}`]
  run('certutil', '-N', ...store, '--empty-password')
  for (const name of ['alice', 'server'])
    run('certutil', '-A', ...store, '-n', name, '-t', ',,', '-i', file(`certs/${name}.pem`))
  const verdict = (name: string, usage: 'C' | 'V') => run('certutil', '-V', ...store, '-n', name, '-u', usage).said
  t.match(verdict('server', 'V'), /not trusted|not recognized|untrusted/i, 'not before the authority is trusted')
  run('certutil', '-A', ...store, '-n', 'ca', '-t', 'CT,,', '-i', file('certs/authority/ca.pem'))
  t.match(verdict('server', 'V'), /certificate is valid/)
  t.match(verdict('alice', 'C'), /certificate is valid/)
  t.match(verdict('server', 'C'), /inadequate|not approved|usage/i)
  t.match(verdict('alice', 'V'), /inadequate|not approved|usage/i)
})

t.test('Java builds the chain to the authority that it was told to trust, and to no other of that name', async t => {
  if (!requireReal(t, ['keytool'])) return
  const { certs, file, put } = await place(t)
  put('password', `${secret}\n`)
  const issue = () => certs(['omero', '--name', 'localhost', '--password-file', 'password'])
  t.match(await issue(), { code: 0 })
  const first = readFileSync(file('certs/omero/server.p12'))
  writeFileSync(file('first.p12'), first)
  // A second certificate for the same key: keytool takes such a reply only with a chain to what is trusted.
  t.match(await issue(), { code: 0 })
  const [leaf = ''] = readFileSync(file('certs/omero/server.pem'), 'utf8').split(/(?<=-----END CERTIFICATE-----\n)/)
  writeFileSync(file('leaf.pem'), leaf)

  const password = file('password')
  const renewIn = (store: string, caFile: string) => {
    const keystore = ['-keystore', file(store), '-storepass:file', password]
    const from = ['-srckeystore', file('first.p12'), '-srcstorepass:file', password, '-deststorepass:file', password]
    t.match(keytool('-importkeystore', '-noprompt', ...from, '-destkeystore', file(store)), { status: 0 })
    const trust = keytool('-importcert', '-noprompt', '-alias', 'ca', '-file', caFile, ...keystore)
    t.match(trust, { status: 0, said: /added to keystore/ })
    return keytool('-importcert', '-noprompt', '-alias', 'server', '-file', file('leaf.pem'), ...keystore)
  }
  t.match(renewIn('ours.jks', file('certs/authority/ca.pem')), { status: 0, said: /reply was installed/ })
  const rogue = await startAuthority(t, 'Test CA')
  t.match(renewIn('rogue.jks', rogue.caFile), { status: 1, said: /Failed to establish chain/ })
})

t.test('Firefox trusts the gateway, and comes in with a certificate from its own store', async t => {
  if (!requireReal(t, firefoxTools)) return
  const upstream = await startUpstream(t)
  const gateway = await startTestGateway(t, {
    certificate: 'optional',
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /app, upstream: app, access: authenticated }]`,
  })
  const { authority } = gateway
  const alice = await authority.client('alice')
  const p12 = { file: alice.p12File, password: alice.p12Password }
  t.equal(await visitWithFirefox(t, { url: `${gateway.url}/app/page`, caFile: authority.caFile, p12 }), true)
  const page = upstream.received.find(({ target }) => target === '/app/page')
  t.equal(page?.header('x-remote-user'), 'alice')
  t.equal(page?.header('x-remote-proof'), 'certificate')
})
