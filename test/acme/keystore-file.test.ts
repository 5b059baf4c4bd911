/**
 * What a listener finds of an ACME keystore when it starts, and that nothing in that file keeps it from starting.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { acmeKeystoreFile, readDirectoryAuthorities, readSupplied } from '../../src/acme/keystore-file.ts'
import { type ServerOptions, startAuthority } from '../fixture/authority.ts'

const section = { directory: new URL('https://acme.example.org:14000/dir?x'), names: ['pacs.example.org'] }

async function start(t: Test) {
  const authority = await startAuthority(t)
  const state = mkdtempSync(join(tmpdir(), 'sallyport-acme-file-'))
  t.teardown(() => rmSync(state, { recursive: true, force: true }))
  const file = acmeKeystoreFile(section, state)
  mkdirSync(dirname(file), { recursive: true })
  return {
    authority,
    state,
    file,
    lay: async (options?: ServerOptions) => {
      const { chainPem, keyPem } = await authority.server(section.names, [], options)
      writeFileSync(file, chainPem + keyPem, { mode: 0o600 })
    },
    read: () => {
      const said: string[] = []
      const found = readSupplied(section, state, Date.now(), (key, message, severity) => {
        said.push(`${severity ?? 'error'}: ${key}: ${message}`)
      })
      return { said, found: found === 'none yet' ? found : found.certificate.subjectAltName }
    },
  }
}

t.test('each authority and each first name has a place of its own below the state', async t => {
  const place = (directory: string, ...names: string[]) =>
    acmeKeystoreFile({ directory: new URL(directory), names }, '/s')
  const usual = place('https://a.example:14000/dir', 'pacs.example.org')
  t.match(usual, /^\/s\/acme\/a\.example_14000-[0-9a-f]{12}\/pacs\.example\.org\/certificate\.pem$/)
  t.equal(place('https://a.example:14000/dir', 'pacs.example.org', 'b.example'), usual, 'more names move nothing')
  t.not(place('https://a.example:14000/staging', 'pacs.example.org'), usual)
  t.match(place('https://[::1]:14000/dir', 'omero'), /^\/s\/acme\/[a-z0-9_.-]+\/omero\/certificate\.pem$/)
})

t.test('nothing is there yet: told as a warning', async t => {
  t.same((await start(t)).read(), {
    found: 'none yet',
    said: [
      'warning: acme: no certificate has come from acme.example.org:14000 yet; the gateway asks for one when it runs',
    ],
  })
})

t.test('what can be shown is shown, and no warning tells that it ends in some days', async t => {
  const { lay, read } = await start(t)
  await lay({ days: 2 })
  t.same(read(), { found: 'DNS:pacs.example.org', said: [] })
})

t.test('an expired one is shown with a warning', async t => {
  const { lay, read } = await start(t)
  await lay({ days: 1, now: new Date(Date.now() - 5 * 86_400_000) })
  const { found, said } = read()
  t.equal(found, 'DNS:pacs.example.org')
  t.match(said, [/^warning: acme: .*expired .*the gateway asks acme\.example\.org:14000 for a new one when it runs$/])
  t.equal(said.length, 1)
})

t.test('rubbish is as nothing, and a warning', async t => {
  const { file, read, authority } = await start(t)
  const { chainPem } = await authority.server(section.names)
  for (const text of ['', 'x', chainPem]) {
    writeFileSync(file, text)
    const { found, said } = read()
    t.equal(found, 'none yet')
    t.match(said, [/^warning: acme: /])
  }
})

t.test('whom to trust for the directory is read before anything is asked', async t => {
  const { authority, state } = await start(t)
  const ask = (ca: string | undefined) => {
    const said: string[] = []
    const found = readDirectoryAuthorities({ ca }, (key, message) => said.push(`${key}: ${message}`))
    return { found: found?.length, said }
  }
  t.same(ask(undefined), { found: undefined, said: [] }, 'those whom the platform knows')
  t.same(ask(authority.caFile), { found: 1, said: [] })
  t.match(ask(join(state, 'nowhere.pem')), { said: [/^ca: there is no file .*nowhere\.pem$/] })
  const empty = join(state, 'empty.pem')
  writeFileSync(empty, 'nothing')
  t.match(ask(empty), { said: [/^ca: .*holds no certificate/] })
})
