// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Orthanc look like that
/**
 * A configuration that somebody else wrote is read with our environment and shown on our terminal: it must get no secret
 * out of the one, no control characters onto the other, and not more time than its size is worth.
 */
import t from 'tap'
import { decisionList } from '../../src/import/decision.ts'
import { readJsonc } from '../../src/import/jsonc.ts'
import { importOrthanc } from '../../src/import/orthanc.ts'
import { growth } from './growth.ts'
import { importText, upstreamOf, webOf } from './imported.ts'

const env = {
  MY_SECRET: 's3cret',
  SNIPPET: '{ "s3cret": { "Url": "https://s3cret", "Username": "s3cret" } }',
  LIST: '"s3cret", "s3cret"',
  PORT: '8061',
  YES: 'true',
}
const tls = '"SslEnabled": true, "SslCertificate": "c.pem"'

t.test('what a variable holds is in no draft and no decision; the decision names the variable', async t => {
  // importText itself fails where the draft or a decision has the secret in it.
  const rows: Readonly<Record<string, readonly [text: string, option: string]>> = {
    'a header': [
      '"OrthancPeers": { "a": { "Url": "https://a", "HttpHeaders": { "X-Pass": "${MY_SECRET}" } } }',
      'OrthancPeers.a.HttpHeaders.X-Pass',
    ],
    'a header that is copied otherwise': [
      '"OrthancPeers": { "a": { "Url": "https://a", "HttpHeaders": { "Accept": "x${MY_SECRET}" } } }',
      'OrthancPeers.a.HttpHeaders.Accept',
    ],
    'a part of a path': ['"SslEnabled": true, "SslCertificate": "/etc/${MY_SECRET}.pem"', 'SslCertificate'],
    'a path with a default': ['"SslEnabled": true, "SslCertificate": "${MY_SECRET:-c.pem}"', 'SslCertificate'],
    'a path on Windows': ['"SslEnabled": true, "SslCertificate": "C:\\\\${MY_SECRET}.pem"', 'SslCertificate'],
    'a cipher': [`${tls}, "SslCiphersAccepted": ["NULL-\${MY_SECRET}", "AES256-SHA"]`, 'SslCiphersAccepted'],
    'several ciphers': [`${tls}, "SslCiphersAccepted": [\${LIST}]`, 'SslCiphersAccepted'],
    'an address to listen on': ['"HttpBindAddresses": ["${MY_SECRET}"]', 'HttpBindAddresses'],
    'the address of a peer': ['"OrthancPeers": { "a": ["https://${MY_SECRET}/"] }', 'OrthancPeers.a'],
    'the path of a peer': ['"OrthancPeers": { "a": { "Url": "https://a/${MY_SECRET}" } }', 'OrthancPeers.a.Url'],
    'the user of a peer': ['"OrthancPeers": { "a": ["https://a/", "${MY_SECRET}", "x"] }', 'OrthancPeers.a'],
    'the user of a peer in the long form': [
      '"OrthancPeers": { "a": { "Url": "https://a", "Username": "${MY_SECRET}", "Password": "x" } }',
      'OrthancPeers.a.Username',
    ],
    'the certificate of a peer': [
      '"OrthancPeers": { "a": { "Url": "https://a", "CertificateFile": "${MY_SECRET}" } }',
      'OrthancPeers.a.CertificateFile',
    ],
    'an AE title': ['"DicomModalities": { "ct": ["${MY_SECRET}", "h", 104] }', 'DicomModalities.ct'],
    'an AE title in the long form': [
      '"DicomTlsEnabled": true, "DicomModalities": { "ct": { "AET": "${MY_SECRET}", "Host": "h", "Port": 104 } }',
      'DicomModalities.ct',
    ],
    'the name of a peer': ['"OrthancPeers": { "${MY_SECRET}": ["https://a"] }', ''],
    'the name of a user': ['"RemoteAccessAllowed": true, "RegisteredUsers": { "x${MY_SECRET}": "x" }', ''],
    'the name of a header': [
      '"OrthancPeers": { "a": { "Url": "https://a", "HttpHeaders": { "${MY_SECRET}": "x" } } }',
      '',
    ],
    'the name of an option': ['"Ssl${MY_SECRET}": 1', ''],
    'a piece of JSON': ['"OrthancPeers": ${SNIPPET}', ''],
  }
  for (const [title, [text, option]] of Object.entries(rows)) {
    await t.test(title, async t => {
      const variable = /\$\{(\w+)/.exec(text)?.[1] ?? ''
      const { decisions } = importText(`{ ${text} }`, env)
      const told = decisions.filter(one => one.kind === 'decide' && one.message.includes(variable))
      t.ok(
        told.some(one => one.option === option),
        `told are ${JSON.stringify(decisions, null, 1)}`,
      )
      t.notOk(
        decisions.some(({ kind }) => kind === 'problem'),
        'a variable is no mistake of theirs',
      )
    })
  }
})

t.test('a mistake in the text does not tell what a variable holds', async t => {
  for (const text of ['{ "${MY_SECRET}" 1 }', '{ "A": ${MY_SECRET} }', '{ "A": "${MY_SECRET}" "B" }']) {
    const got = readJsonc('o.json', text, env)
    t.notOk(got.ok)
    t.notMatch(JSON.stringify(got), /s3cret/)
  }
})

t.test('a certificate that is of no use is not asked about', async t => {
  const got = importText('{ "OrthancPeers": { "a": { "Url": "http://a", "CertificateFile": "${MY_SECRET}" } } }', env)
  t.match(got.said.join('\n'), /decide OrthancPeers\.a\.CertificateFile: is of no use over http/)
  t.notMatch(got.said.join('\n'), /MY_SECRET/)
})

t.test('numbers and switches that are a whole variable stay; parts of a number do not', async t => {
  const got = importText('{ "HttpPort": ${PORT}, "AuthenticationEnabled": ${YES} }', env)
  t.equal(upstreamOf(got, 'orthanc').url, 'http://127.0.0.1:8061/')
  t.ok(got.config.realms.basic)
  const part = importText('{ "HttpPort": 1${PORT} }', env)
  t.notMatch(part.draft + part.said.join(), /18061/)
  t.match(part.said.join('\n'), /decide HttpPort: holds the environment variable PORT/)
})

t.test('a default is part of the file, and copied like the rest of it', async t => {
  const got = importText('{ "SslEnabled": true, "SslCertificate": "${NOPE:-/pki/c.pem}" }', env)
  t.match(webOf(got).keystores, [{ certificate: '/pki/c.pem' }])
})

t.test('an address to listen on that is not repeated opens no other one', async t => {
  const got = importText(`{ ${tls}, "HttpBindAddresses": ["\${MY_SECRET}"] }`, env)
  t.match(webOf(got).bind, [{ host: '127.0.0.1' }])
  t.match(got.said.join('\n'), /change HttpBindAddresses/)
})

t.test('a header is copied only where its name says that it is harmless', async t => {
  const headers = { 'X-Pin': 's3cret', 'X-Anything': 's3cret', Accept: 'application/json', 'user-agent': 'site north' }
  const got = importText({ OrthancPeers: { a: { Url: 'https://a', HttpHeaders: headers } } })
  t.same(upstreamOf(got, 'a').headers, { Accept: 'application/json', 'user-agent': 'site north' })
  for (const name of ['X-Pin', 'X-Anything'])
    t.match(got.said.join('\n'), new RegExp(`decide OrthancPeers\\.a\\.HttpHeaders\\.${name}: may be a secret`))
})

const control = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/
const evil = 'a\u001b[31m\n# 9. HttpPort: all is well\u202e'

t.test('control characters of a file reach neither the terminal nor the draft', async t => {
  const odd = JSON.stringify(evil)
  const rows: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'an option twice in one place': { 'o.json': `{ ${odd}: 1, ${odd}: 2 }` },
    'an option in two files': { 'o.json': `{ ${odd}: 1 }`, 'p.json': `{ ${odd}: 2 }` },
    'an option whose variable is missing': { 'o.json': `{ ${odd}: { ${odd}: ["\${NOPE}"] } }` },
    'a variable that is missing': { 'o.json': `{ "Name": "\${${evil.replace(':', '')}}" }` },
    'a variable in a password': {
      'o.json': `{ "OrthancPeers": { "a": ["https://a", "u", "\${${evil.replace(':', '')}}"] } }`,
    },
    'the name of a file': { [`${evil}.json`]: '{ "Name": 1 }', [`${evil}2.json`]: '{ "Name": 1 }' },
    'a path on Windows': { 'o.json': `{ "SslEnabled": true, "SslCertificate": ${JSON.stringify(`C:\\${evil}`)} }` },
    'a path': { 'o.json': `{ "SslEnabled": true, "SslCertificate": ${odd} }` },
    'a user': { 'o.json': `{ "RemoteAccessAllowed": true, "RegisteredUsers": { ${odd}: "x", "al\u202eice": "x" } }` },
    'a peer, its user, its headers': {
      'o.json': `{ "OrthancPeers": { ${odd}: { "Url": "https://a/${'\u202e'}", "Username": ${odd}, "Password": "x", ${odd}: 1, "HttpHeaders": { ${odd}: "x", "Accept": ${odd} } } } }`,
    },
    'a modality': { 'o.json': `{ "DicomModalities": { ${odd}: ["A", "h", 1] } }` },
    'a cipher': { 'o.json': `{ ${tls}, "SslCiphersAccepted": [${odd}, "NULL${evil.replace('\n', ' ')}"] }` },
  }
  for (const [title, files] of Object.entries(rows)) {
    await t.test(title, async t => {
      const sources = Object.entries(files).map(([name, text]) => ({ file: `/etc/orthanc/${name}`, text }))
      const imported = importOrthanc(sources, {})
      if (!imported.ok) throw new Error(JSON.stringify(imported.mistakes))
      const shown = imported.decisions.flatMap(({ option, message }) => [option, message])
      for (const one of shown) t.notMatch(one, new RegExp(`\n|${control.source}`), JSON.stringify(one))
      t.notMatch(imported.draft, control, JSON.stringify(imported.draft))
      t.notMatch(imported.draft, /^# 9\. HttpPort/m)
    })
  }
})

t.test('a path with control characters is the same path when the draft is read again', async t => {
  const got = importText({ SslEnabled: true, SslCertificate: `/pki/${evil}.pem` })
  t.match(webOf(got).keystores, [{ certificate: `/pki/${evil}.pem` }])
})

t.test('a name in a mistake, and of a variable, is in quotes too', async t => {
  for (const text of [`{ ${JSON.stringify(evil)} 1 }`, `{ "A": \${${evil.replace(':', '')}} }`]) {
    const got = readJsonc('o.json', text, {})
    t.notOk(got.ok)
    if (!got.ok) t.notMatch(got.mistake.message, new RegExp(`\n|${control.source}`))
  }
})

t.test('eight times as much takes about eight times as long, not sixty-four', async t => {
  const numbered = (count: number, line: (index: number) => string) => Array.from({ length: count }, (_, i) => line(i))
  const read = (text: string) => {
    readJsonc('o.json', text, env)
  }
  const bring = (text: string) => {
    importOrthanc([{ file: '/o.json', text }], env)
  }
  const rows: Readonly<Record<string, readonly [count: number, work: (count: number) => () => void]>> = {
    'a number on each line': [
      4000,
      count => {
        const text = `{ "A": [\n${numbered(count, String).join(',\n')}\n] }`
        return () => read(text)
      },
    ],
    'an option on each line': [
      2000,
      count => {
        const text = `{\n${numbered(count, i => `"A${i}": ${i}`).join(',\n')}\n}`
        return () => read(text)
      },
    ],
    'a variable on each line': [
      2000,
      count => {
        const text = `{ "A": [\n${numbered(count, () => '${PORT}').join(',\n')}\n] }`
        return () => read(text)
      },
    ],
    'variables without end': [4000, count => () => read(`{ "A": "${'${'.repeat(count)}`)],
    'defaults without end': [4000, count => () => read(`{ "A": "${'${:-x'.repeat(count)}`)],
    'many decisions': [
      2000,
      count => () => {
        const { tell } = decisionList()
        for (let i = 0; i < count; i++) tell('note', { option: `A${i}` }, 'is one of many')
      },
    ],
    'many peers': [
      300,
      count => {
        const text = `{ "OrthancPeers": { ${numbered(count, i => `"p${i}": ["http://p${i}"]`).join(',\n')} } }`
        return () => bring(text)
      },
    ],
  }
  for (const [title, [count, work]] of Object.entries(rows)) {
    const ratio = growth(work(count), work(count * 8))
    t.ok(ratio < 28, `${title}: ${ratio.toFixed(1)} times as long`)
  }
})
