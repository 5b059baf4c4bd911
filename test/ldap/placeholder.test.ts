import t from 'tap'
import { type Filter, formatFilter, parseFilter } from '../../src/ldap/filter.ts'
import { fillPlaceholders, placeholdersIn, wrongPlaceholders } from '../../src/ldap/placeholder.ts'

function filterOf(text: string): Filter {
  const filter = parseFilter(text)
  if (filter.kind === 'mistake') throw new Error(filter.message)
  return filter
}

const fill = (text: string, values: Record<string, string[]>) => {
  const filled = fillPlaceholders(filterOf(text), name => values[name] ?? [])
  return filled.kind === 'unfilled' ? filled.why : formatFilter(filled)
}

t.test('both spellings of a placeholder are filled', async t => {
  t.equal(
    // biome-ignore lint/suspicious/noTemplateCurlyInString: OMERO's older spelling of a placeholder
    fill('(|(member=@{dn})(owner=${dn})(mail=*@{mail}))', { dn: ['cn=a,o=b'], mail: ['x'] }),
    '(|(member=cn=a,o=b)(owner=cn=a,o=b)(mail=*x))',
  )
})

t.test('a value is escaped and becomes no structure', async t => {
  t.equal(
    fill('(member=@{dn})', { dn: ['cn=Bob (Ext) *\\, x,o=b)(objectClass=*'] }),
    '(member=cn=Bob \\28Ext\\29 \\2a\\5c, x,o=b\\29\\28objectClass=\\2a)',
  )
})

t.test('a value that looks like a placeholder stays as it is', async t => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: OMERO's older spelling of a placeholder
  t.equal(fill('(&(a=@{x})(b=@{y}))', { x: ['@{y}'], y: ['${x}'] }), '(&(a=@{y})(b=${x}))')
})

t.test('a placeholder that the entry cannot fill, or fills twice, leaves the filter unfilled', async t => {
  t.match(fill('(a=@{x})', {}), /nothing for @\{x\}/)
  t.match(fill('(a=@{x})', { x: [''] }), /nothing for/)
  t.match(fill('(a=@{x})', { x: ['1', '2'] }), /several values/)
  t.match(fill('(a=@{x})', { x: ['x'.repeat(8_193)] }), /more than 8192 letters for @\{x\}/)
})

t.test('the names in placeholders are known beforehand, each once, wrong ones too', async t => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: OMERO's older spelling of a placeholder
  t.same(placeholdersIn(filterOf('(&(a=@{x}-${y})(!(b=*@{x}*)))')), ['x', 'y'])
  t.same(wrongPlaceholders(filterOf('(&(a=@{x})(b=@{no name})(c=@{}))')), ['@{no name}', '@{}'])
  t.same(wrongPlaceholders(filterOf('(|(a=@{dn)(b=@{d*n})(c=@{x}@{y))')), ['@{dn', '@{d', '@{y'], 'unclosed ones')
})
