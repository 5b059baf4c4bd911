import t from 'tap'
import { dnKey, isUnder, nearest, parseDn, sameDn } from '../../src/ldap/dn.ts'

t.test('two spellings of one name are equal, whatever the case, blanks, escapes and order inside a part', async t => {
  const same: readonly (readonly [string, string])[] = [
    ['cn=Alice,ou=People,dc=lab', 'CN=alice , OU=people,DC=LAB'],
    ['cn=a\\,b,dc=lab', 'cn=a\\2Cb,dc=lab'],
    ['cn="a,b",dc=lab', 'cn=a\\,b,dc=lab'],
    ['cn=a,b=c;dc=lab', 'cn=a;b=c,dc=lab'],
    ['cn=J\\c3\\bcrgen,dc=lab', 'cn=Jürgen,dc=lab'],
    ['cn=Jürgen,dc=lab', 'cn=Ju\u0308rgen,dc=lab'],
    ['uid=a+cn=b,dc=lab', 'cn=b+uid=a,dc=lab'],
    ['cn=Smith,  dc=lab', 'cn=Smith,dc=lab'],
    ['cn=Two  Words,dc=lab', 'cn=two words,dc=lab'],
    ['OID.2.5.4.3=x', '2.5.4.3=x'],
    ['cn=#0402486A , dc=lab', 'cn=#0402486a,dc=lab'],
    ['cn=\\#04024869', 'cn="#04024869"'],
    ['', ' '],
  ]
  for (const [one, other] of same) t.ok(sameDn(one, other), `${one} and ${other}`)
})

t.test('D14: what merely looks alike is another name', async t => {
  const different: readonly (readonly [string, string])[] = [
    ['cn=alice,dc=lab', 'cn=alice,dc=lab,dc=org'],
    ['cn=alice,ou=a,dc=lab', 'cn=alice,ou=b,dc=lab'],
    ['cn=radiology,dc=lab', 'cn=radiology2,dc=lab'],
    ['cn=a\\,ou=b,dc=lab', 'cn=a,ou=b,dc=lab'],
    ['cn=a\\+b=c', 'cn=a+b=c'],
    ['cn=a b', 'cn=ab'],
    ['cn=\\ a', 'cn=b'],
    ['cn=a', 'sn=a'],
    ['cn=a+sn=b', 'cn=a,sn=b'],
    ['cn=#04024869', 'cn=\\#04024869'],
    ['cn=#04024869', 'cn="#04024869"'],
    ['cn=#04024869', 'cn=\\2304024869'],
  ]
  for (const [one, other] of different) t.notOk(sameDn(one, other), `${one} and ${other}`)
})

t.test('a text that is no name equals nothing, itself included', async t => {
  const odd = [
    'no name',
    'cn',
    '=x',
    'cn=a,',
    'cn=a,,dc=b',
    'c n=x',
    'cn=a\\',
    'cn=a\\zb',
    'cn="a',
    'cn="a"b',
    'cn=\\ff',
    ',',
  ]
  for (const text of odd) {
    t.equal(parseDn(text), undefined, text)
    t.notOk(sameDn(text, text), text)
  }
  t.equal(parseDn(`${'a=b,'.repeat(100_000)}c=d`), undefined, 'and a monster is none')
})

t.test('an empty value, a quoted blank and an escaped edge are kept', async t => {
  t.same(parseDn('cn=,dc=lab'), [[{ type: 'cn', value: '' }], [{ type: 'dc', value: 'lab' }]])
  t.same(parseDn('cn=\\ a\\ ,dc=lab')?.[0], [{ type: 'cn', value: ' a ' }])
  t.same(parseDn('cn= a '), [[{ type: 'cn', value: 'a' }]])
  t.same(parseDn('cn=#04024869 '), [[{ type: 'cn', value: '#04024869', isEncoded: true }]])
  t.same(parseDn('cn=#1 of two'), [[{ type: 'cn', value: '#1 of two' }]])
})

t.test('under a base means by whole parts', async t => {
  t.ok(isUnder('CN=g,CN=Users,DC=lab,DC=test', 'dc=lab, dc=test'))
  t.ok(isUnder('dc=lab', 'dc=lab'))
  t.ok(isUnder('cn=a', ''), 'everything is under the root')
  t.notOk(isUnder('cn=a,dc=elsewhere', 'dc=lab'))
  t.notOk(isUnder('cn=a,dc=mylab', 'dc=lab'))
  t.notOk(isUnder('cn=a\\,dc=lab', 'dc=lab'))
  t.notOk(isUnder('dc=test', 'dc=lab,dc=test'))
  t.notOk(isUnder('nonsense', ''))
})

t.test('the part nearest to the entry counts, by any spelling of its type', async t => {
  const dn = parseDn('CN=mygroup,CN=Users,DC=lab') ?? []
  t.equal(nearest(dn, 'cn'), 'mygroup')
  t.equal(nearest(dn, 'CN'), 'mygroup')
  t.equal(nearest(dn, 'ou'), undefined)
})

t.test('a key goes into maps', async t => {
  t.equal(dnKey('CN=A,DC=b'), dnKey('cn=a, dc=B'))
  t.equal(dnKey('nonsense'), undefined)
})

t.test('a name of megabytes is none, and found to be none at once', async t => {
  const started = performance.now()
  for (const filling of ['a', ' ', '\\20', '\\,', 'é']) t.equal(parseDn(`cn=${filling.repeat(2_000_000)}`), undefined)
  t.ok(performance.now() - started < 1_000)
  const blanks = `cn=${' a'.repeat(4_000)}`
  const again = performance.now()
  for (let at = 0; at < 1_000; at++) dnKey(blanks)
  t.ok(performance.now() - again < 5_000, 'and the longest ones cost little')
})
