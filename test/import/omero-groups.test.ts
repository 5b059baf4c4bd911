// biome-ignore-all lint/suspicious/noTemplateCurlyInString: OMERO has placeholders like that
/**
 * omero.ldap.new_user_group in all its kinds: groups open doors, so what cannot be said alike keeps the directory off.
 */
import t from 'tap'
import { importSettings } from './imported.ts'

function look(spec: string, more = '') {
  const got = importSettings(`omero.ldap.config=true\nomero.ldap.base=o=x\nomero.ldap.new_user_group=${spec}\n${more}`)
  const { enabled, newUserGroup, newUserGroupOwner } = got.config.realms.directory
  return { enabled, group: newUserGroup, owner: newUserGroupOwner, said: got.said.join('\n') }
}

t.test('every kind of OMERO has its like', async t => {
  const rows: Readonly<Record<string, object>> = {
    default: { kind: 'literal', group: 'default' },
    'My Lab': { kind: 'literal', group: 'My Lab' },
    ':ou:': { kind: 'ou' },
    ':ou:whatever': { kind: 'ou' },
    ':attribute:memberOf': { kind: 'attribute', attribute: 'memberOf', filtered: false },
    ':filtered_attribute:memberOf': { kind: 'attribute', attribute: 'memberOf', filtered: true },
    ':dn_attribute:memberOf': { kind: 'dn-attribute', attribute: 'memberOf', filtered: false },
    ':filtered_dn_attribute:memberOf': { kind: 'dn-attribute', attribute: 'memberOf', filtered: true },
    ':query:(member=@{dn})': { kind: 'query', query: '(member=@{dn})' },
    ':query:(&(a=@{cn})(b=${email}))': { kind: 'query', query: '(&(a=@{cn})(b=@{email}))' },
  }
  for (const [spec, group] of Object.entries(rows)) {
    const got = look(spec)
    t.same(got.group, group, spec)
    t.equal(got.enabled, true, spec)
    t.notMatch(got.said, /^problem/m, spec)
  }
  t.match(look(':dn_attribute:memberOf').said, /^note omero\.ldap\.new_user_group: takes of each DN/m)
})

t.test('a bean of Spring cannot be taken: the directory is off, and its like is named', async t => {
  const got = look(':bean:myNewUserGroupMapperBean')
  t.equal(got.enabled, false)
  t.match(got.said, /^decide omero\.ldap\.new_user_group: names a bean of Spring, .* ":bean:FILE\.mjs#EXPORT"/m)
  t.match(got.said, /^decide omero\.ldap\.config: .* by omero\.ldap\.new_user_group/m)
})

t.test('what OMERO cannot mean is a problem, and the directory is off', async t => {
  const rows: Readonly<Record<string, RegExp>> = {
    ':magic:x': /begins with a kind that OMERO does not have; known are ou, attribute/,
    ':': /begins with a kind that OMERO does not have/,
    ':constructor:x': /begins with a kind that OMERO does not have/,
    ':attribute:': /:attribute: takes the name of one attribute/,
    ':dn_attribute:member of': /:dn_attribute: takes the name of one attribute/,
    ':query:member=@{dn}': /is no filter that a directory can be asked with: a filter stands in parentheses/,
    ':query:(a=b)(c=d)': /two filters stand side by side/,
    ':query:(a=@{b c})': /has a placeholder that holds no name/,
    ':query:': /the filter is empty/,
    '': /is no name of a group/,
    [`long${'x'.repeat(300)}`]: /is no name of a group/,
  }
  for (const [spec, told] of Object.entries(rows)) {
    const got = look(spec)
    t.equal(got.enabled, false, spec)
    t.match(
      got.said.split('\n').find(line => line.startsWith('problem omero.ldap.new_user_group:')),
      told,
      spec,
    )
  }
})

t.test('a reserved group for everybody is to be decided, and the directory is off', async t => {
  for (const name of ['system', 'user', 'guest', 'System']) {
    const got = look(name)
    t.match(
      got.said,
      /^decide omero\.ldap\.new_user_group: puts everybody into ".*", a reserved group; .* allowReserved:/m,
    )
    t.equal(got.enabled, false, name)
  }
})

t.test('owners go with :query: only; a wrong one opens nothing and is left out', async t => {
  const owner = (text: string) => `omero.ldap.new_user_group_owner=${text}\n`
  const query = ':query:(member=@{dn})'
  t.equal(look(query, owner('(owner=${dn})')).owner, '(owner=@{dn})')
  const unused = look(':ou:', owner('(owner=@{dn})'))
  t.match(unused.said, /^note omero\.ldap\.new_user_group_owner: is used with :query: only/m)
  t.equal(unused.owner, '')
  for (const wrong of ['owner=@{dn}', '(a=b)(c=d)', '(a=@{})']) {
    const got = look(query, owner(wrong))
    t.match({ owner: got.owner, enabled: got.enabled }, { owner: '', enabled: true }, wrong)
    t.match(got.said, /^problem omero\.ldap\.new_user_group_owner:/m, wrong)
  }
})
