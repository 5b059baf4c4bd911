// The scripted directory is understood by a real client, reads what is asked, and lies when told to.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import t from 'tap'
import { labPkiTools, startLabPki } from '../fixture/lab-pki.ts'
import { readRequest } from '../fixture/ldap-request.ts'
import * as wire from '../fixture/ldap-wire.ts'
import { requireReal } from '../fixture/real.ts'
import { type Script, silence, startScriptedDirectory } from '../fixture/scripted-directory.ts'

const run = promisify(execFile)
const tools = ['ldapsearch']
const as = ['-D', 'uid=a', '-w', 'pass-word']

/** What ldapsearch printed, on both channels, however it ended. */
async function search(url: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const asked = run('ldapsearch', ['-x', '-o', 'ldif-wrap=no', '-H', url, ...args], { env: { ...process.env, ...env } })
  const { stdout, stderr } = await asked.catch((failure: { stdout: string; stderr: string }) => failure)
  return stdout + stderr
}

t.test('a real client understands every answer, and is understood', async t => {
  if (!requireReal(t, tools)) return
  const members = Array.from({ length: 2_000 }, (_, n) => `cn=member ${n}`)
  const directory = await startScriptedDirectory(t, ({ id, operation }) => {
    if (operation === 'bind') return wire.bindResponse(id, { controls: [wire.passwordPolicy({ graceLeft: 300 })] })
    if (operation !== 'search') return undefined
    return Buffer.concat([
      wire.searchEntry(id, 'cn=g', { cn: ['g', 'ü'], ...wire.ranged('member', 0, members) }),
      wire.searchReference(id, 'ldap://evil.test/dc=x'),
      wire.searchDone(id, { code: 10, text: 'elsewhere', referral: ['ldap://other.test/'] }),
    ])
  })
  const filter = '(&(|(uid=al\\2aice)(cn=a*b*c))(!(x>=1))(mail=*)(memberOf:1.2.840.113556.1.4.1941:=cn=g)(y=*z*))'
  const said = await search(directory.url, [...as, '-e', 'ppolicy', '-b', 'dc=x', '-z', '7', filter, 'cn', 'member'])
  for (const part of ['300 grace logins remain', 'dn: cn=g', 'member;range=0-1999: cn=member 0', 'cn:: w7w='])
    t.match(said, part)
  t.match(said, /ref: ldap:\/\/evil\.test\/dc=x/)
  t.match(said, /result: 10 Referral\ntext: elsewhere\nref: ldap:\/\/other\.test\//)
  t.match(directory.requests, [
    {
      id: 1,
      operation: 'bind',
      name: 'uid=a',
      password: 'pass-word',
      controls: [wire.passwordPolicyOid],
      connection: 0,
    },
    { id: 2, operation: 'search', name: 'dc=x', scope: 'sub', sizeLimit: 7, filter, attributes: ['cn', 'member'] },
    { operation: 'unbind', secure: false },
  ])
})

t.test('the password control says why', async t => {
  if (!requireReal(t, tools)) return
  let error: (typeof wire.passwordErrors)[number] = 'expired'
  const directory = await startScriptedDirectory(t, ({ id, operation }) =>
    operation === 'bind'
      ? wire.bindResponse(id, { code: 49, text: 'no', controls: [wire.passwordPolicy({ expiresIn: 70_000, error })] })
      : undefined,
  )
  const ask = () => search(directory.url, [...as, '-e', 'ppolicy'])
  t.match(await ask(), /Invalid credentials \(49\); Password expired/)
  error = 'locked'
  t.match(await ask(), /Account locked/)
  error = 'changeAfterReset'
  t.match(await ask(), /Password must be changed/)
})

t.test('StartTLS and ldaps with the certificate given, and bytes forged behind the answer', async t => {
  if (!requireReal(t, [...tools, ...labPkiTools])) return
  const pki = startLabPki(t)
  const client = pki.client('gateway')
  const dir = t.testdir({ 'client.crt': client.cert, 'client.key': client.key })
  const trusting = { LDAPTLS_CACERT: pki.caFile, LDAPTLS_REQCERT: 'demand' }
  const known = { ...trusting, LDAPTLS_CERT: `${dir}/client.crt`, LDAPTLS_KEY: `${dir}/client.key` }
  const peers: (string | undefined)[] = []
  const script: Script = ({ operation }, { peer }) => {
    if (operation === 'bind') peers.push(peer)
    return undefined
  }
  const plain = await startScriptedDirectory(t, script, { tls: pki.server })
  t.match(await search(plain.url, ['-ZZ', ...as], trusting), 'result: 0 Success')
  t.match(plain.requests.slice(0, 2), [
    { operation: 'extended', name: wire.startTlsOid, secure: false },
    { operation: 'bind', secure: true },
  ])
  const secure = await startScriptedDirectory(t, script, { tls: { ...pki.server, ca: pki.ca }, ldaps: true })
  t.match(await search(secure.url, as, trusting), "Can't contact LDAP server")
  t.match(await search(secure.url, as, known), 'result: 0 Success')
  t.same(peers, [undefined, 'gateway'])
  t.match(secure.faults, [/certificate/])

  const forged = await startScriptedDirectory(
    t,
    async ({ id, operation }, line) => {
      if (operation !== 'extended') return undefined
      await line.upgrade(Buffer.concat([wire.extendedResponse(id), wire.bindResponse(2)]))
      return silence
    },
    { tls: pki.server },
  )
  const socket = connect({ port: Number(new URL(forged.url).port), host: '127.0.0.1' })
  t.teardown(() => socket.destroy())
  socket.write(wire.message(1, wire.tlv(0x77, wire.octets(wire.startTlsOid, 0x80))))
  const [bytes] = await once(socket, 'data')
  t.same(bytes, Buffer.concat([wire.extendedResponse(1), wire.bindResponse(2)]), 'in one piece')
})

t.test('it says nothing, drips, hangs up, and does not hold bytes for LDAP that are none', async t => {
  const directory = await startScriptedDirectory(t, async (request, line) => {
    if (request.id === 1) return silence
    if (request.id === 2) await line.drip(wire.bindResponse(2), 1)
    if (request.id === 3) line.socket.end(wire.disconnection({ text: 'bye' }))
    return silence
  })
  const socket = connect({ port: Number(new URL(directory.url).port), host: '127.0.0.1' })
  t.teardown(() => socket.destroy())
  const came: Buffer[] = []
  socket.on('data', chunk => came.push(chunk))
  const bind = (id: number) =>
    wire.message(id, wire.tlv(0x60, wire.integer(3), wire.octets(''), wire.tlv(0xa3, wire.octets('EXTERNAL'))))
  socket.write(Buffer.concat([bind(1), bind(2), bind(300), bind(3)]))
  await once(socket, 'end')
  t.same(Buffer.concat(came), Buffer.concat([wire.bindResponse(2), wire.disconnection({ text: 'bye' })]))
  t.ok(came.length > 5, 'in many pieces')
  t.match(directory.requests, [
    { id: 1, operation: 'bind', name: '', password: undefined, mechanism: 'EXTERNAL' },
    { id: 2 },
    { id: 300 },
    { id: 3 },
  ])
  const stranger = connect({ port: Number(new URL(directory.url).port), host: '127.0.0.1' })
  stranger
    .resume()
    .on('error', () => undefined)
    .write('GET / HTTP/1.1\r\n\r\n')
  await once(stranger, 'close')
  t.match(directory.faults, [/no LDAP message: 474554/])
})

t.test('numbers and lengths are written as BER wants them', t => {
  t.equal(wire.integer(0).toString('hex'), '020100')
  t.equal(wire.integer(128).toString('hex'), '02020080')
  t.equal(wire.integer(2 ** 31 - 1).toString('hex'), '02047fffffff')
  t.equal(wire.octets('x'.repeat(200)).subarray(0, 3).toString('hex'), '0481c8')
  t.equal(wire.octets('x'.repeat(70_000)).subarray(0, 5).toString('hex'), '0483011170')
  t.equal(wire.bindResponse(2).toString('hex'), '300c02010261070a010004000400')
  const unbind = Buffer.from('300502010342004200', 'hex').subarray(0, 7)
  t.match(readRequest(unbind), { request: { id: 3, operation: 'unbind' }, end: 7 })
  t.equal(readRequest(unbind.subarray(0, 5)), undefined)
  t.end()
})
