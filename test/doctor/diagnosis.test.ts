// Each cause of a failing step is told in plain words, with the cure: shown with a real slapd, and with a liar where none fails so.
import { createServer } from 'node:net'
import t from 'tap'
import { makeSelfSigned } from '../../src/issuer/self-signed.ts'
import { startAuthority } from '../fixture/authority.ts'
import { startDirectoryProxy } from '../fixture/directory-proxy.ts'
import { bindResponse, disconnection, extendedResponse, searchDone, startTlsOid } from '../fixture/ldap-wire.ts'
import { requireReal } from '../fixture/real.ts'
import { type Script, silence, startScriptedDirectory } from '../fixture/scripted-directory.ts'
import { slapdTools, startSlapd } from '../fixture/slapd.ts'
import { trustOf } from '../tls/trusted.ts'
import { examinationOf, firstFailure, tried } from './examined.ts'

if (!requireReal(t, slapdTools)) process.exit(0)

const authority = await startAuthority(t)
const rogue = await startAuthority(t, 'Another Authority')
const pair = await authority.server(['ldap.lab.test'], ['127.0.0.1'])
const ended = await authority.server(['localhost'], ['127.0.0.1'], {
  now: new Date(Date.now() - 90 * 86_400_000),
  days: 30,
})
const client = await authority.client('gateway')
const slapd = await startSlapd(t, { tls: { cert: pair.chainPem, key: pair.keyPem, ca: authority.caPem } })
const plain = await startSlapd(t)
const choosy = await startSlapd(t, {
  tls: { cert: pair.chainPem, key: pair.keyPem, ca: authority.caPem, verifyClients: 'demand' },
})
const ldaps = slapd.ldapsUrl ?? ''
const trust = trustOf({ ca: authority.caFile })
const portOf = (url: string) => new URL(url).port

t.test('a server that believes nobody and is believed by us is well, and what it showed is told', async t => {
  const well = await tried(examinationOf(t, ldaps, {}, { trust }))
  t.same(
    well.steps.map(({ step, ok }) => `${step} ${ok}`),
    ['connect true', 'tls true', 'reader true', 'search true', 'entry true', 'search true', 'groups true'],
  )
  t.match(
    well.steps[1]?.detail,
    /^TLSv1\.3, shows CN=ldap\.lab\.test \(ldap\.lab\.test, 127\.0\.0\.1\), issued by CN=Test Authority, until \d{4}-/,
  )
  const upgraded = await tried(examinationOf(t, slapd.url, { startTls: true }, { trust }))
  t.match(upgraded.steps[1], { step: 'starttls', ok: true, detail: /shows CN=ldap\.lab\.test/ })
})

t.test('the wrong way to speak to a port is found out by trying the other', async t => {
  const rows = [
    [
      `ldaps://127.0.0.1:${portOf(slapd.url)}`,
      {},
      'tls port-speaks-no-tls',
      `write ldap://127.0.0.1:${portOf(slapd.url)} with startTls: true, or ldaps://127.0.0.1`,
    ],
    [`ldap://127.0.0.1:${portOf(ldaps)}`, {}, 'reader port-speaks-tls', `write ldaps://127.0.0.1:${portOf(ldaps)}`],
    [
      `ldap://127.0.0.1:${portOf(ldaps)}`,
      { startTls: true },
      'starttls port-speaks-tls',
      `write ldaps://127.0.0.1:${portOf(ldaps)}`,
    ],
    [
      `ldap://127.0.0.1:${portOf(ldaps)}`,
      { username: undefined },
      'root port-speaks-tls',
      `write ldaps://127.0.0.1:${portOf(ldaps)}`,
    ],
    [plain.url, { startTls: true }, 'starttls starttls-refused', 'it has no certificate yet'],
  ] as const
  for (const [url, written, at, cure] of rows) {
    const failure = firstFailure(await tried(examinationOf(t, url, written, { trust })))
    t.equal(failure.at, at, failure.said)
    t.match(failure.said, cure)
  }
})

t.test('a server that is not believed: what it shows, and the setting that mends it', async t => {
  const own = await makeSelfSigned(['localhost'], ['127.0.0.1'])
  const selfSigned = await startScriptedDirectory(t, undefined, {
    ldaps: true,
    tls: { cert: own.certificatePem, key: own.keyPem },
  })
  const late = await startScriptedDirectory(t, undefined, {
    ldaps: true,
    tls: { cert: ended.chainPem, key: ended.keyPem },
  })
  const localhost = ldaps.replace('127.0.0.1', 'localhost')
  const port = portOf(ldaps)
  const rows = [
    [
      localhost,
      trust,
      'tls tls-name',
      [
        /for DNS:ldap\.lab\.test, IP Address:127\.0\.0\.1, and localhost is expected/,
        `ldaps://ldap.lab.test:${port}`,
        'realms.directory.tls.name: ldap.lab.test',
        `sallyport certs fetch localhost:${port}`,
      ],
    ],
    [
      ldaps,
      trustOf({ ca: rogue.caFile }),
      'tls tls-untrusted',
      ['goes back to CN=Test Authority', 'realms.directory.tls.ca', `sallyport certs fetch 127.0.0.1:${port}`],
    ],
    [ldaps, undefined, 'tls tls-untrusted', ['goes back to CN=Test Authority']],
    [
      selfSigned.url,
      trust,
      'tls tls-self-signed',
      ['CN=localhost is self-signed', 'name it as realms.directory.tls.ca', 'sallyport certs fetch 127.0.0.1:'],
    ],
    [late.url, trust, 'tls tls-expired', [/the certificate of the server expired on .*GMT/, 'renewed']],
    [
      ldaps,
      trustOf({ ca: authority.caFile, only: 'CN=pacs' }),
      'tls tls-only',
      ['does not admit CN=ldap.lab.test', 'realms.directory.tls.only'],
    ],
    [
      ldaps,
      trustOf({ pins: [`sha256:${'AB:'.repeat(32).slice(0, -1)}`] }),
      'tls tls-pin',
      ['fingerprint mismatch', 'realms.directory.tls.pins'],
    ],
    [ldaps, trustOf({ ca: authority.caFile, depth: 1 }), 'tls tls-depth', ['too long', 'realms.directory.tls.depth']],
  ] as const
  for (const [url, believed, at, said] of rows) {
    const failure = firstFailure(await tried(examinationOf(t, url, {}, { trust: believed })))
    t.equal(failure.at, at, failure.said)
    for (const words of said) t.match(failure.said, words)
  }
})

t.test('a demanded client certificate is told, whether the server says so or hangs up', async t => {
  const own = { certificate: client.certFile, key: client.keyFile, ca: authority.caFile }
  const strange = await rogue.client('gateway')
  const wrong = { ...own, certificate: strange.certFile, key: strange.keyFile }
  const saying = await startScriptedDirectory(t, undefined, {
    ldaps: true,
    tls: { cert: pair.chainPem, key: pair.keyPem, ca: authority.caPem },
  })
  for (const url of [choosy.ldapsUrl ?? '', saying.url]) {
    t.match(firstFailure(await tried(examinationOf(t, url, {}, { trust }))), {
      at: 'reader client-certificate',
      said: /demands a client certificate, and the gateway shows none => .*realms\.directory\.tls\.certificate/,
    })
    t.match(firstFailure(await tried(examinationOf(t, url, {}, { trust: trustOf(wrong) }))), {
      at: 'reader client-certificate',
      said: /does not take the client certificate that the gateway shows/,
    })
    const { at } = firstFailure(await tried(examinationOf(t, url, {}, { trust: trustOf(own) })))
    t.match(at, /nothing|entry/)
  }
})

t.test('no connection: nobody there, no such host, no answer', async t => {
  const full = createServer(socket => socket.on('error', () => undefined))
  await new Promise<void>(resolve => full.listen(0, '127.0.0.1', resolve))
  t.teardown(() => full.close())
  const silent = await startDirectoryProxy(t, plain.url, { way: 'silent' })
  const silentTls = await startDirectoryProxy(t, ldaps, { way: 'silent' })
  const rows = [
    ['ldap://127.0.0.1:1', 'connect refused', /nobody listens on 127\.0\.0\.1:1 => .*636/],
    [
      'ldap://no-such-host.invalid',
      'connect unknown-host',
      /no address is known for the name no-such-host\.invalid => .*getent/,
    ],
    // TEST-NET-1: nothing answers there, or nobody knows the way.
    ['ldap://192.0.2.1', /^connect (no-answer|no-way|refused)$/, /192\.0\.2\.1/],
    [silent.url, 'reader no-answer-in-time', /within 1000 ms => /],
    [silentTls.url, 'tls tls-silent', /did not shake hands within 1000 ms/],
  ] as const
  for (const [url, at, said] of rows)
    t.match(firstFailure(await tried(examinationOf(t, url, {}, { trust }))), { at, said })
  const dropped = await startScriptedDirectory(t, ({ operation, id }) =>
    operation === 'search' ? disconnection({ text: `bye ${id}` }) : undefined,
  )
  t.match(firstFailure(await tried(examinationOf(t, dropped.url))), { at: 'search broken-off', said: /hung up/ })
})

/** What a directory of another make answers: to a bind, or to a search. */
const answering =
  (operation: 'bind' | 'search' | 'extended', code: number, text = ''): Script =>
  request => {
    if (request.operation !== operation) return undefined
    if (operation === 'search' && request.operation === 'search' && request.name === '') return undefined
    if (operation === 'extended') return extendedResponse(request.id, { code, text, oid: startTlsOid })
    return operation === 'bind' ? bindResponse(request.id, { code, text }) : searchDone(request.id, { code, text })
  }

const data = (digits: string) =>
  `80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data ${digits}, v4563`

t.test('what a directory answers to the reader', async t => {
  const rows = [
    [
      49,
      '',
      'reader-refused',
      /does not know the reader account .*, or its password is another one => .*username and password/,
    ],
    [49, data('52e'), 'account-wrong-password', /another password than this one/],
    [49, data('525'), 'account-unknown', /is not known to the directory/],
    [49, data('530'), 'account-wrong-hour', /not sign in at this hour/],
    [49, data('531'), 'account-wrong-workstation', /certain computers only .*=> .*Log On To/],
    [49, data('532'), 'account-password-expired', /a password that has expired/],
    [49, data('533'), 'account-disabled', /is disabled/],
    [49, data('701'), 'account-account-expired', /has expired/],
    [49, data('773'), 'account-must-change', /must change its password/],
    [49, data('775'), 'account-locked', /locked by too many wrong passwords .*=> unlock/],
    [32, '', 'reader-unknown', /no reader account/],
    [34, 'invalid DN', 'reader-no-dn', /no name that can sign in here; in its own words: "invalid DN"/],
    [53, '', 'reader-unwilling', /locked or disabled/],
    [
      8,
      '00002028: LdapErr: The server requires binds to turn on integrity checking',
      'encryption-required',
      /without encryption \(Active Directory calls it signing\).*=> write ldaps:\/\/127\.0\.0\.1:\d+ .*or startTls: true/,
    ],
    [13, 'confidentiality required', 'encryption-required', /without encryption.*startTls: true/],
    [48, '', 'simple-bind-refused', /simple bind/],
    [51, '', 'busy', /no time/],
    [80, 'what', 'result-80', /code 80\); in its own words: "what"/],
  ] as const
  for (const [code, text, at, said] of rows) {
    const directory = await startScriptedDirectory(t, answering('bind', code, text))
    t.match(firstFailure(await tried(examinationOf(t, directory.url))), { at: `reader ${at}`, said }, `${code} ${text}`)
  }
})

t.test('what a directory answers to a search', async t => {
  const nobody = { username: undefined }
  const wants =
    '000004DC: LdapErr: DSID-0C0909A2, comment: In order to perform this operation a successful bind must be completed on the connection., data 0'
  const rows = [
    [
      1,
      wants,
      nobody,
      'anonymous-refused',
      /no reader is configured; .*successful bind must be completed.* => .*realms\.directory\.username/,
    ],
    [50, '', nobody, 'anonymous-refused', /no reader is configured/],
    [8, 'authentication required', nobody, 'anonymous-refused', /no reader is configured/],
    [50, '', {}, 'reader-may-not-search', /may not search below dc=lab,dc=test/],
    [4, '', {}, 'size-limit', /half an answer is none => raise it for the reader account/],
    [3, '', {}, 'time-limit', /time limit .* => .*index/],
    [11, '', {}, 'admin-limit', /administrator.* => .*index/],
    [32, '', {}, 'no-such-base', /no entry dc=lab,dc=test/],
    [12, '', {}, 'extension-missing', /nestedGroups: walk/],
    [18, '', {}, 'filter-refused', /cannot compare/],
    [34, '', {}, 'base-no-dn', /for a DN/],
    [10, '', {}, 'referral', /referral.* => .*referral: follow/],
  ] as const
  for (const [code, text, written, at, said] of rows) {
    const directory = await startScriptedDirectory(t, answering('search', code, text))
    t.match(
      firstFailure(await tried(examinationOf(t, directory.url, written))),
      { at: `search ${at}`, said },
      `${code}`,
    )
  }
})

t.test('StartTLS that is refused or never answered is told, and nothing goes on in clear', async t => {
  const refused = await startScriptedDirectory(t, answering('extended', 52, 'no certificate'))
  const failure = firstFailure(await tried(examinationOf(t, refused.url, { startTls: true }, { trust })))
  t.match(failure, {
    at: 'starttls starttls-refused',
    said: /refuses StartTLS \(code 52\); in its own words: "no certificate"/,
  })
  const silent = await startScriptedDirectory(t, ({ operation }) => (operation === 'extended' ? silence : undefined))
  await tried(examinationOf(t, silent.url, { startTls: true, connectTimeout: '500 ms' }, { trust }))
  for (const { requests } of [refused, silent])
    t.same(
      requests.filter(({ operation }) => operation === 'bind'),
      [],
    )
})
