import t from 'tap'
import { both, equal, escapeFilterValue, formatFilter, parseFilter, valueBytes } from '../../src/ldap/filter.ts'

const roundTrip = (text: string): string => {
  const filter = parseFilter(text)
  return filter.kind === 'mistake' ? `mistake: ${filter.message}` : formatFilter(filter)
}

t.test('the five characters of RFC 4515 are escaped, and nothing else is', async t => {
  t.equal(escapeFilterValue('a*b(c)d\\e\0f'), 'a\\2ab\\28c\\29d\\5ce\\00f')
  t.equal(escapeFilterValue('Jürgen O\'Neil, "X" <y> #1 =+;/&|!'), 'Jürgen O\'Neil, "X" <y> #1 =+;/&|!')
})

t.test('an escaped value stands for the bytes of the text, whatever the text is', async t => {
  for (const text of ['', '*', ')(uid=*', '\\2a', 'a\0b', 'Bob (Ext) *', 'Søren 李', '  x  ', '\\', '\\5c2a']) {
    t.equal(valueBytes(escapeFilterValue(text)).toString('utf8'), text, JSON.stringify(text))
  }
})

t.test('a filter with a name from outside in it has the structure it had before', async t => {
  const person = equal('objectClass', 'person')
  t.equal(formatFilter(both(person, equal('uid', ')(uid=*'))), '(&(objectClass=person)(uid=\\29\\28uid=\\2a))')
  t.equal(
    roundTrip(formatFilter(both(person, equal('uid', '*)(|(a=b')))),
    '(&(objectClass=person)(uid=\\2a\\29\\28|\\28a=b))',
  )
})

t.test('what RFC 4515 gives as examples is read and written as it stands', async t => {
  const texts = [
    '(cn=Babs Jensen)',
    '(!(cn=Tim Howes))',
    '(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))',
    '(o=univ*of*mich*)',
    '(seeAlso=)',
    '(cn:caseExactMatch:=Fred Flintstone)',
    '(cn:=Betty Rubble)',
    '(sn:dn:2.4.6.8.10:=Barney Rubble)',
    '(o:dn:=Ace Industry)',
    '(:1.2.3:=Wilma Flintstone)',
    '(:dn:2.4.6.8.10:=Dino)',
    '(o=Parens R Us \\28for all your parenthetical needs\\29)',
    '(cn=*\\2a*)',
    '(filename=C:\\5cMyFile)',
    '(bin=\\00\\00\\00\\04)',
    '(sn=Lu\\c4\\8di\\c4\\87)',
    '(1.3.6.1.4.1.1466.0=\\04\\02\\48\\69)',
    '(memberOf:1.2.840.113556.1.4.1941:=cn=a,dc=b)',
    '(cn;lang-de=x)',
    '(age>=18)',
    '(age<=18)',
    '(cn~=jon)',
    '(mail=*)',
  ]
  for (const text of texts) t.equal(roundTrip(text), text)
})

t.test('blanks between filters do no harm, and blanks in a value are kept', async t => {
  t.equal(roundTrip(' (& (objectClass=person)\n   (cn= a b ) ) '), '(&(objectClass=person)(cn= a b ))')
})

t.test('what is no filter is refused, and the message says why', async t => {
  const cases: Record<string, RegExp> = {
    '': /empty/,
    '  \n ': /empty/,
    'objectClass=person': /parentheses/,
    '(objectClass=a)(mail=b)': /side by side; join them/,
    '(&(a=b)(c=d)': /never closed/,
    '(a=b': /never closed/,
    '(a=b))': /nothing may follow/,
    '(&)': /holds no filter/,
    '(!(a=b)(c=d))': /exactly one/,
    '(&a=b)': /expected/,
    '()': /no comparison/,
    '(a)': /no comparison/,
    '(=b)': /no name of an attribute/,
    '(a b=c)': /no name of an attribute/,
    '(a(b=c))': /inside a value/,
    '(a=b\\zz)': /\\5c/,
    '(a=b\\2)': /\\5c/,
    '(a=\0)': /NUL/,
    '(a>=b*)': /\\2a/,
    '(a:b:c:=d)': /no matching rule/,
    '(:=d)': /no matching rule/,
    '(a=\\c3*)': /UTF-8/,
  }
  for (const [text, message] of Object.entries(cases)) {
    const filter = parseFilter(text)
    t.equal(filter.kind, 'mistake', JSON.stringify(text))
    if (filter.kind === 'mistake') t.match(filter.message, message, JSON.stringify(text))
  }
})

t.test('a filter of a hundred thousand parentheses is refused, not a stack overflow', async t => {
  t.match(parseFilter('(!'.repeat(100_000)), { kind: 'mistake', message: /50 deep/ })
})
