import t from 'tap'
import {
  checkAddress,
  checkCommonName,
  checkDnsName,
  checkEmail,
  fileStem,
  sortServerNames,
} from '../../src/issuer/names.ts'

const refused = { name: 'IssuerRefusal', code: 'name-invalid' }
// tap's own output must survive the names that are tested here.
const shown = (name: string) => `"${name.slice(0, 70).replace(/[^ -~]/g, '?')}"`

t.test('host names come out in lower case and in ASCII', async t => {
  t.equal(checkDnsName('Imaging.Example.ORG'), 'imaging.example.org')
  t.equal(checkDnsName('localhost'), 'localhost')
  t.equal(checkDnsName('gw.example.'), 'gw.example')
  t.equal(checkDnsName('münchen.example'), 'xn--mnchen-3ya.example')
  t.equal(checkDnsName('*.example.org'), '*.example.org')
  t.equal(checkDnsName('orthanc_1'), 'orthanc_1')
})

t.test('what is not a host name is refused', async t => {
  const wrong = [
    ...[
      '',
      ' ',
      '.',
      '*',
      '*.',
      '*.org',
      '*.*.example.org',
      'a.*.example',
      'gw*.example',
      '-gw.example',
      'gw-.example',
    ],
    ...[
      'gw..example',
      '.example',
      'a b',
      'a,b',
      'a/b',
      'gw.example:8443',
      'https://gw.example',
      'user@gw',
      'a\0b',
      'a\nb',
    ],
    ...[
      '1.2.3',
      '0x7f.1',
      '999.1.1.1',
      'a%2eb',
      'ü%00.example',
      'gw\u202e.example',
      'x'.repeat(64),
      `${'a.'.repeat(127)}ab`,
    ],
  ]
  for (const name of wrong) t.throws(() => checkDnsName(name), refused, shown(name))
})

t.test('addresses come out in their short form', async t => {
  t.equal(checkAddress('127.0.0.1'), '127.0.0.1')
  t.equal(checkAddress('2001:DB8:0:0:0:0:0:1'), '2001:db8::1')
  t.equal(checkAddress('::ffff:1.2.3.4'), '::ffff:102:304')
  for (const wrong of ['', '1.2.3', '1.2.3.4.5', '[::1]', 'fe80::1%eth0', '10.0.0.0/8', 'localhost', '01.2.3.4']) {
    t.throws(() => checkAddress(wrong), refused, wrong)
  }
})

t.test('the names of a server are sorted by kind, once each, and the first is the common name', async t => {
  t.same(sortServerNames(['localhost', 'LOCALHOST', '127.0.0.1'], ['::1', '127.0.0.1']), {
    commonName: 'localhost',
    dns: ['localhost'],
    addresses: ['127.0.0.1', '::1'],
  })
  t.equal(sortServerNames([], ['10.0.0.1']).commonName, '10.0.0.1')
  t.throws(() => sortServerNames([]), refused)
  t.throws(() => sortServerNames([`${'a'.repeat(60)}.example.org`]), refused, 'a common name holds 64 characters')
})

t.test('a common name may hold any readable text', async t => {
  for (const name of [
    'alice',
    'Dr. Jürgen Müller-Lüdenscheidt',
    '山田太郎',
    'a, CN=admin',
    'O=x+CN=y',
    '"',
    '#41',
    'a\\',
  ]) {
    t.equal(checkCommonName(name), name)
  }
})

t.test('a common name that two readers could take for two names is refused', async t => {
  const wrong = [
    '',
    '   ',
    'a\0b',
    'a\nb',
    'a\r\nCN=b',
    'a\x7fb',
    'a\x85b',
    ' a',
    'a ',
    'a\u200bb',
    'a\u202eb',
    'a\ud800',
    'a\u2028b',
  ]
  for (const name of [...wrong, 'x'.repeat(65)]) t.throws(() => checkCommonName(name), refused, shown(name))
})

t.test('the refusal shows a hostile name without letting it act on the terminal', async t => {
  t.throws(() => checkCommonName('a\x1b[2Jb\u202ec\x9b'), {
    message: /^the name "a\\u001b\[2Jb\\u\{202e\}c\\u\{9b\}" has/,
  })
})

t.test('e-mail addresses are plain ones', async t => {
  t.equal(checkEmail('Alice.B@Example.ORG'), 'Alice.B@example.org')
  for (const wrong of [
    '',
    'alice',
    '@example.org',
    'a@',
    'a@b@c',
    'a b@c.example',
    'a\n@c.example',
    '"a"@c.example',
    'ä@c.example',
  ]) {
    t.throws(() => checkEmail(wrong), refused, shown(wrong))
  }
})

t.test('a file stem is never a path', async t => {
  t.equal(fileStem('alice'), 'alice')
  t.equal(fileStem('Jürgen Müller'), 'Jürgen_Müller')
  t.equal(fileStem('*.example.org'), '_.example.org')
  t.equal(fileStem('../../etc/passwd'), '__.._etc_passwd')
  for (const name of ['..', '.', '/', '-rf', 'a/b', 'a\\b', 'C:\\x', '.ssh', ''])
    t.notMatch(fileStem(name), /^[.-]|[/\\:]|^$/, name)
})
