// Names in certificates against names in rules (IceSSL.TrustOnly): exact, from the structure, rejections first.
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parseNamePattern, parseTrustOnly } from '../../src/config/trust-only.ts'
import { admits, issuerAttributes, nameFits, nameText, subjectAttributes } from '../../src/tls/name-match.ts'
import { type OddName, oddCertificateTools, startOddCertificates } from '../fixture/odd-certificates.ts'
import { requireReal } from '../fixture/real.ts'

if (!requireReal(t, ['openssl', ...oddCertificateTools])) process.exit(0)

const dir = mkdtempSync(join(tmpdir(), 'sallyport-names-'))
t.teardown(() => rmSync(dir, { recursive: true, force: true }))
const key = join(dir, 'key.pem')
execFileSync('openssl', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', key])

/** @param subject  as openssl takes it, or a section of a configuration for what it cannot say */
function certificate(subject: string): Buffer {
  const conf = join(dir, 'conf')
  writeFileSync(conf, '[req]\ndistinguished_name=dn\n[dn]\n')
  const out = join(dir, 'out.pem')
  const words = ['req', '-x509', '-config', conf, '-key', key, '-utf8', '-subj', subject, '-days', '2', '-out', out]
  execFileSync('openssl', words, { stdio: 'pipe' })
  return new X509Certificate(readFileSync(out)).raw
}

const rules = (text: string) => {
  const read = parseTrustOnly(text)
  if ('mistake' in read) throw new Error(read.mistake)
  return read
}

const rows: Record<string, [subject: string, rule: string, admitted: boolean]> = {
  '000 TrustOnly: one of several common names': ['/CN=b.example.org', 'CN=a.example.org;CN=b.example.org', true],
  '000 TrustOnly: none of them': ['/CN=c.example.org', 'CN=a.example.org;CN=b.example.org', false],
  '000 TrustOnly: a star is the certificate whose name is written so': ['/CN=*.example.org', 'CN=*.example.org', true],
  '000 TrustOnly: a star is no pattern': ['/CN=a.example.org', 'CN=*.example.org', false],
  '000 TrustOnly: a rejection comes first': ['/CN=mallory', 'CN=mallory;!CN=mallory', false],
  '000 TrustOnly: only rejections admit the rest': ['/CN=alice', '!CN=mallory', true],
  '000 TrustOnly: a rejection of two parts wants both': ['/CN=mallory/O=good', '!CN=mallory,O=evil', true],
  '000 TrustOnly: a rejection of two parts that are there': ['/CN=mallory/O=evil', '!CN=mallory,O=evil', false],
  'every part must be there': ['/CN=alice', 'CN=alice,O=Lab', false],
  'the order of the parts does not matter': ['/O=Lab/CN=alice', 'O=Lab,CN=alice', true],
  'more in the name than in the rule is no matter': ['/C=DE/O=Lab/CN=alice', 'CN=alice', true],
  'exact: case': ['/CN=Alice', 'CN=alice', false],
  'exact: a part of it': ['/CN=alice2', 'CN=alice', false],
  'exact: blanks inside': ['/CN=a  b', 'CN=a b', false],
  'two values under one key: both must be it': ['/CN=alice/CN=admin', 'CN=alice', false],
  'two values under one key: the same twice': ['/CN=alice/CN=alice', 'CN=alice', true],
  'two values under one key: one is enough to be rejected': ['/CN=alice/CN=mallory', '!CN=mallory', false],
  'two units, and a rule for one of them': ['/OU=radiology/OU=admins/CN=a', 'CN=a,OU=radiology', false],
  'T14: a slash in a common name is no second one': ['/CN=admin\\/CN=user', 'CN=user', false],
  'T14: a comma in a common name is no second part': ['/CN=alice,O=Lab', 'CN=alice,O=Lab', false],
  'T14: a comma that is written as one': ['/CN=alice,O=Lab', 'CN="alice,O=Lab"', true],
  'T14: a homograph': ['/CN=аlice', 'CN=alice', false],
  'T14: letters beyond ASCII': ['/CN=Jörg Müller', 'CN=J\\C3\\B6rg Müller', true],
  'a multi-valued name counts by its parts': ['/CN=alice+UID=7', 'CN=alice', true],
  'a multi-valued name, written as one': ['/CN=alice+UID=7', 'UID=7+CN=alice', true],
  'a multi-valued rule wants them together': ['/CN=alice/UID=7', 'CN=alice+UID=7', false],
  'a multi-valued rule wants nothing beside them': ['/CN=alice+UID=7+O=x', 'CN=alice+UID=7', false],
  'aliases: e-mail': ['/CN=a/emailAddress=a@lab.test', 'E=a@lab.test', true],
  'aliases: state': ['/ST=Bayern/CN=a', 'S=Bayern', true],
  'aliases: domain components': ['/DC=org/DC=org', 'DC=org', true],
  'aliases: domain components that differ': ['/DC=org/DC=example', 'DC=org', false],
  'aliases: an OID': ['/CN=a', '2.5.4.3=a', true],
  'the bytes of a value, as openssl writes UTF8String': ['/CN=a', 'CN=#0c0161', true],
  'other bytes of the same text': ['/CN=a', 'CN=#130161', false],
}
for (const [title, [subject, rule, admitted]] of Object.entries(rows)) {
  t.test(`${title}: "${rule}" ${admitted ? 'admits' : 'does not admit'} ${subject}`, async t => {
    t.equal(admits(rules(rule), certificate(subject)), admitted)
  })
}

t.test('a peer without a certificate passes no rule', async t => {
  t.equal(admits(rules('CN=a'), undefined), false)
  t.equal(admits(rules('!CN=a'), undefined), false)
  t.equal(admits({ accept: [], reject: [] }, undefined), true, 'no rules at all')
})

const oddRows: readonly (readonly [OddName, rule: string, admitted: boolean])[] = [
  ['name-with-nul', 'CN=admin', false],
  ['name-with-nul', 'CN=alice', false],
  ['name-with-nul', '!CN=admin\\00alice', false],
  ['name-with-newline', 'CN=alice', false],
  ['name-with-newline', 'CN=alice\\0Aadmin', true],
  ['name-with-comma', 'CN=admin', false],
  ['name-with-slash', 'CN=user', false],
  ['name-with-plus', 'CN=admin', false],
  ['two-names', 'CN=alice', false],
  ['two-names-in-one-rdn', 'CN=alice', false],
  ['two-names-in-one-rdn', '!CN=admin', false],
  ['multi-valued-name', 'CN=alice', true],
  ['look-alike', 'CN=alice', false],
  ['bmp-string', 'CN=alice', true],
  ['empty-subject', 'CN=alice', false],
  ['empty-subject', '!CN=alice', true],
]
t.test('T14: an odd name is what its structure says', async t => {
  const odd = await startOddCertificates(t)
  for (const [name, rule, admitted] of oddRows)
    t.equal(admits(rules(rule), new X509Certificate(odd.get(name).certPem).raw), admitted, `${name}: ${rule}`)
})

t.test('a name fits a pattern by itself, too', async t => {
  const pattern = parseNamePattern('CN=Staff CA,O=Lab')
  if ('mistake' in pattern) return t.fail(pattern.mistake)
  t.equal(nameFits(pattern, subjectAttributes(certificate('/O=Lab/CN=Staff CA'))), true)
  t.equal(nameFits(pattern, subjectAttributes(certificate('/O=Lab/CN=Staff'))), false)
  t.equal(nameFits([], subjectAttributes(certificate('/O=Lab'))), false, 'nothing fits no name')
})

t.test('subject and issuer are told apart, and are written as a rule takes them', async t => {
  const der = certificate('/C=DE/O=Lab \\+ Co/CN= a,b;"c"\\\\ + UID=7')
  const written = nameText(subjectAttributes(der))
  t.equal(nameText(issuerAttributes(der)), written)
  t.equal(admits(rules(written), der), true, written)
  t.equal(admits(rules(nameText(subjectAttributes(certificate('/CN=#x\\+')))), certificate('/CN=#x\\+')), true)
  t.equal(nameText(subjectAttributes(certificate('/CN=a\nb'))), 'CN=a\\0ab')
})
