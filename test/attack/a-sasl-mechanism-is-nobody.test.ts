// D04: ldapts takes these words in place of a name for another way to sign in, with other rules than a password's.
import { SASL_MECHANISMS } from 'ldapts'
import t from 'tap'
import { startScriptedDirectory } from '../fixture/scripted-directory.ts'
import { serversOn } from '../ldap/servers-lab.ts'

t.test('D04: who is called like a SASL mechanism, or like no entry, is refused without a connection', async t => {
  const directory = await startScriptedDirectory(t)
  const servers = serversOn(t, [directory.url])
  const words = [
    ...SASL_MECHANISMS,
    ...['external', 'SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS', 'GSSAPI', 'GSS-SPNEGO', 'ANONYMOUS', 'CRAM-MD5', 'LOGIN'],
    ...['', ' ', 'alice', '=', '=x', '*', 'uid\0=alice', 'uid=alice\0', '@', 'alice@', '@lab.test', 'a b@lab.test'],
  ]
  for (const word of words)
    t.match(await servers.bind(word, 'right'), { right: false, why: /not sent/ }, JSON.stringify(word))
  t.equal(directory.connections, 0)
})

t.test('D04: names of entries and of people in a domain are bound with a password and nothing else', async t => {
  const directory = await startScriptedDirectory(t)
  const servers = serversOn(t, [directory.url])
  const names = ['uid=alice,dc=lab,dc=test', '0.9.2342.19200300.100.1.1=alice', ' CN = Ä\\, b , dc=x', 'alice@lab.test']
  for (const name of names) t.match(await servers.bind(name, 'right'), { right: true }, name)
  const binds = directory.requests.filter(({ operation }) => operation === 'bind')
  t.match(
    binds,
    names.map(name => ({ name, password: 'right', mechanism: undefined })),
  )
})
