// The grammar of IceSSL.TrustOnly: what is read, and what stops the start instead of fitting nobody.
import t from 'tap'
import { z } from 'zod'
import { parseNamePattern, parseTrustOnly, TrustOnlyRules } from '../../src/config/trust-only.ts'

const cn = (text: string) => [{ type: '2.5.4.3', value: { text } }]
const o = (text: string) => [{ type: '2.5.4.10', value: { text } }]

const rows: Record<string, [string, { accept?: unknown[]; reject?: unknown[] }]> = {
  'one name': ['CN=alice', { accept: [[cn('alice')]] }],
  'several names (seed 000)': [
    'CN=omero.example.org;CN=*.example.org',
    { accept: [[cn('omero.example.org')], [cn('*.example.org')]] },
  ],
  'an entry of two parts': ['CN=a, O=Example', { accept: [[cn('a'), o('Example')]] }],
  'an entry that rejects': ['CN=alice;!CN=mallory', { accept: [[cn('alice')]], reject: [[cn('mallory')]] }],
  'entries that reject only, with blanks': [' ! CN=a , O=b ; !CN=c ', { reject: [[cn('a'), o('b')], [cn('c')]] }],
  'blanks around the value do not count': ['CN =  Anna Lena  ', { accept: [[cn('Anna Lena')]] }],
  'quotes keep blanks and separators': ['CN=" a;b,c+d=e<f>#g "', { accept: [[cn(' a;b,c+d=e<f>#g ')]] }],
  'escapes within quotes': ['CN="a\\"b\\\\c"', { accept: [[cn('a"b\\c')]] }],
  'escaped separators': ['CN=Doe\\, John\\; Jr\\+\\=\\<\\>\\#', { accept: [[cn('Doe, John; Jr+=<>#')]] }],
  'escaped blanks at the ends': ['CN=\\ a\\ ;CN=b', { accept: [[cn(' a ')], [cn('b')]] }],
  'escaped bytes are UTF-8': ['CN=M\\C3\\BCller', { accept: [[cn('Müller')]] }],
  'letters beyond ASCII as they are': ['CN=Müller 🙂', { accept: [[cn('Müller 🙂')]] }],
  'a hash in the middle is a hash': ['CN=room #3', { accept: [[cn('room #3')]] }],
  'a BER encoding': ['1.2.3.4=#0C0161', { accept: [[[{ type: '1.2.3.4', value: { encoded: '0c0161' } }]]] }],
  'a key written as OID': ['oid.2.5.4.3=a;OID.2.5.4.3=b;2.5.4.3=c', { accept: [[cn('a')], [cn('b')], [cn('c')]] }],
  'attributes that stand together': [
    'CN=a+UID=7,O=x',
    { accept: [[[...cn('a'), { type: '0.9.2342.19200300.100.1.1', value: { text: '7' } }], o('x')]] },
  ],
  'a last semicolon': ['CN=a;', { accept: [[cn('a')]] }],
}
for (const [title, [text, { accept = [], reject = [] }]] of Object.entries(rows)) {
  t.test(`TrustOnly reads ${title}`, async t => {
    t.same(parseTrustOnly(text), { accept, reject })
  })
}

t.test('names that mean one attribute are one', async t => {
  const sameAs = (...texts: string[]) => {
    for (const text of texts) t.same(parseTrustOnly(text), parseTrustOnly(texts[0] ?? ''), text)
  }
  sameAs('E=a@b.c', 'emailAddress=a@b.c', 'EMAILADDRESS=a@b.c', '1.2.840.113549.1.9.1=a@b.c')
  sameAs('ST=Bayern', 'S=Bayern', 'stateOrProvinceName=Bayern', '2.5.4.8=Bayern')
  sameAs('DC=org', 'domainComponent=org', '0.9.2342.19200300.100.1.25=org')
  sameAs('UID=7', 'userId=7', '0.9.2342.19200300.100.1.1=7')
  sameAs('CN=a', 'commonName=a', '2.5.4.3=a')
})

const mistakes: Record<string, RegExp> = {
  '': /write a name such as CN=alice/,
  '   ': /write a name such as CN=alice/,
  ';': /write a name such as CN=alice.*";"/,
  'CN=a;;CN=b': /write a name such as CN=alice.*";CN=b"/,
  'CN=a,': /write a name such as CN=alice/,
  '!': /write a name such as CN=alice/,
  'CN=a,!CN=b': /write a name such as CN=alice.*"!CN=b"/,
  '!!CN=a': /write a name such as CN=alice/,
  'CN=': /a value is empty/,
  'CN=""': /a value is empty/,
  CN: /"=" is missing after CN/,
  'CN alice': /"=" is missing after CN at "alice"/,
  'CN=a=b': /a comma or semicolon is missing at "=b"/,
  'CN=a<b': /a comma or semicolon is missing at "<b"/,
  'CN="a"b': /a comma or semicolon is missing at "b"/,
  'CN=a"b"': /a comma or semicolon is missing at/,
  'CN="a': /a quoted value has no end/,
  'CN=a\\': /a backslash stands before/,
  'CN=a\\q': /a backslash stands before.*"q"/,
  'CN=a\\C3': /not UTF-8/,
  'CN=#': /pairs of hex digits/,
  'CN=#0C016': /pairs of hex digits/,
  'CN=#xy': /pairs of hex digits/,
  'CM=a': /no attribute of a name is called "CM"/,
  'cn=a': /no attribute of a name is called "cn"; write CN/,
  '*': /write a name such as CN=alice/,
}
for (const [text, said] of Object.entries(mistakes)) {
  t.test(`TrustOnly ${JSON.stringify(text)} is a mistake and never a rule that fits nobody`, async t => {
    const read = parseTrustOnly(text)
    t.match('mistake' in read ? read.mistake : 'taken', said)
  })
}

t.test('one name is read by itself, for those who want no list', async t => {
  t.same(parseNamePattern('CN=Hospital Staff CA,O=Hospital'), [cn('Hospital Staff CA'), o('Hospital')])
  for (const text of ['CN=a;CN=b', 'CN=a;', '!CN=a', '']) t.match(parseNamePattern(text), { mistake: /./ }, text)
})

t.test('in the schema a mistake is a problem with its sentence', async t => {
  t.same(TrustOnlyRules.parse('CN=a'), { accept: [[cn('a')]], reject: [] })
  const said = (input: unknown) => TrustOnlyRules.safeParse(input).error?.issues.map(({ message }) => message)
  t.match(said('CN="a'), ['a quoted value has no end'])
  t.match(said(['CN=a']), [/between semicolons/])
  t.match(z.toJSONSchema(TrustOnlyRules, { io: 'input' }), { type: 'string' })
})
