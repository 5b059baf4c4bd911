/**
 * What an operator may write of an ACME authority, and what is said of the rest.
 */
import t from 'tap'
import { configOf, saidOf } from './written.ts'

const plain = 'plain: { bind: "0.0.0.0:80", redirect: web }'
const listener = (keystore: string, others = plain) =>
  `listeners:\n  web: { bind: "0.0.0.0:443", keystore: ${keystore} }\n${others === '' ? '' : `  ${others}\n`}`
const acme = (fields: string) => listener(`{ acme: { ${fields} } }`)
const sound = 'directory: "https://acme.example.org/directory", names: [pacs.example.org]'

t.test('a keystore comes from files or from an authority', async t => {
  const keystoreOf = (yaml: string) => {
    const { web } = configOf(yaml).listeners
    return web?.kind === 'secure' ? web.keystores[0] : undefined
  }
  t.match(keystoreOf(acme(sound)), {
    kind: 'acme',
    directory: new URL('https://acme.example.org/directory'),
    names: ['pacs.example.org'],
    email: undefined,
    ca: undefined,
    eab: undefined,
  })
  t.match(keystoreOf(acme(`${sound}, email: it@example.org, ca: ca.pem, eab: { kid: clinic-1, key: { env: EAB } }`)), {
    email: 'it@example.org',
    ca: '/etc/sallyport/ca.pem',
    eab: { kid: 'clinic-1', key: { env: 'EAB' } },
  })
  t.match(keystoreOf(listener('{ certificate: a.pem }')), { kind: 'files', key: undefined })
})

t.test('names are those of the DNS, in ASCII and lower case, each once', async t => {
  const namesOf = (list: string) => {
    const { web } = configOf(acme(`directory: "https://a.example/d", names: [${list}]`)).listeners
    const keystore = web?.kind === 'secure' ? web.keystores[0] : undefined
    return keystore?.kind === 'acme' ? keystore.names : undefined
  }
  t.same(namesOf('PACS.Example.org, pacs.example.org, bücher.example, omero'), [
    'pacs.example.org',
    'xn--bcher-kva.example',
    'omero',
  ])
  const rows: Record<string, RegExp> = {
    '"*.example.org"': /"\*\.example\.org" cannot be proven over HTTP \(http-01\): name each host/,
    '10.0.0.1': /"10\.0\.0\.1" is an address: only names are asked for/,
    '"::1"': /"::1" is an address/,
    '"[::1]"': /is an address/,
    '"1.2"': /is no name of the DNS/,
    '0x7f.1': /is no name of the DNS/,
    '"bücher.example/x"': /is no name of the DNS/,
    '"bü%2e.example"': /is no name of the DNS/,
    'a..b': /is no name of the DNS/,
    '"../../etc"': /is no name of the DNS/,
    '"a/b"': /is no name of the DNS/,
    '"a:443"': /is no name of the DNS/,
    'a.b.': /is no name of the DNS/,
    '""': /is no name of the DNS/,
    '-a.example': /is no name of the DNS/,
    [`${'a'.repeat(64)}.example`]: /is no name of the DNS/,
  }
  for (const [name, said] of Object.entries(rows))
    t.match(saidOf(acme(`directory: "https://a.example/d", names: [${name}]`)).join('\n'), said, name)
})

t.test('what cannot be meant is refused, with what to write instead', async t => {
  const rows: [yaml: string, said: RegExp][] = [
    [acme('names: [a.example]'), /acme\.directory: "directory" is missing/],
    [acme('directory: "https://a.example/d"'), /acme\.names: "names" is missing/],
    [acme('directory: "https://a.example/d", names: []'), /acme\.names: at least one entry/],
    [acme('directory: "http://a.example/d", names: [a.example]'), /acme\.directory: write the https:\/\/ URL/],
    [
      acme('directory: "https://me:letmein@a.example/d", names: [a.example]'),
      /acme\.directory: write the https:\/\/ URL/,
    ],
    [acme(`${sound}, email: "a@b.example, c@b.example"`), /acme\.email: write one e-mail address/],
    [acme(`${sound}, email: "a@b.example?cc=x"`), /acme\.email: write one e-mail address/],
    [acme(`${sound}, wildcard: true`), /acme\.wildcard: unknown key "wildcard"/],
    [
      listener(`{ certificate: a.pem, password: { env: P }, acme: { ${sound} } }`),
      /keystore\.certificate: with acme .*; leave certificate out[\s\S]*keystore\.password: with acme/,
    ],
    [listener('{}'), /keystore\.certificate: "certificate" is missing; .* or acme/],
  ]
  for (const [yaml, said] of rows) {
    t.match(saidOf(yaml).join('\n'), said, yaml)
    t.notMatch(saidOf(yaml).join('\n'), /letmein/)
  }
})

t.test('the authority looks on port 80, so there must be a plain listener', async t => {
  t.same(saidOf(acme(sound)), [])
  t.same(saidOf(listener(`{ acme: { ${sound} } }`, '')), [
    'listeners.web.keystore.acme: the authority looks on port 80: a plain listener is needed (bind and redirect)',
  ])
  t.same(saidOf(listener(`{ acme: { ${sound} } }`, 'plain: { bind: "0.0.0.0:8080", redirect: web }')), [
    'warning: listeners.web.keystore.acme: the authority looks on port 80, which no plain listener binds; forward it to one',
  ])
})

t.test('two keystores with one first name are one and the same, or refused', async t => {
  const second = (fields: string) =>
    saidOf(
      listener(
        `{ acme: { ${sound} } }`,
        `${plain}\n  other: { bind: "0.0.0.0:8443", keystore: { acme: { ${fields} } } }`,
      ),
    )
  t.same(second(sound), [])
  t.same(second('directory: "https://acme.example.org/directory", names: [viewer.example.org, pacs.example.org]'), [])
  t.same(second('directory: "https://staging.example.org/directory", names: [pacs.example.org, b.example]'), [])
  t.same(second('directory: "https://acme.example.org/directory", names: [pacs.example.org, viewer.example.org]'), [
    'listeners.other.keystore.acme.names: another keystore has pacs.example.org as its first name, and is not the same; let them be equal',
  ])
})
