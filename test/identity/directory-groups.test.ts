// Which groups a directory may confer, and what a synchronization takes, gives and leaves alone.
import t from 'tap'
import { admissibleGroups, synchronized } from '../../src/identity/directory-groups.ts'

const group = (name: string, owner = false) => ({ name, owner })
const none = { administrators: [], allowed: [] }

t.test('reserved groups never come from the directory, however they are spelt', async t => {
  const given = ['radiology', 'system', 'User', 'GUEST', 'PACS-Admins', 'Ärzte', 'A\u0308RZTE', 'systems'].map(name =>
    group(name),
  )
  t.same(admissibleGroups(given, { administrators: ['pacs-admins', 'ärzte'], allowed: [] }), {
    groups: [group('radiology'), group('systems')],
    dropped: ['system', 'User', 'GUEST', 'PACS-Admins', 'Ärzte', 'A\u0308RZTE'],
  })
})

t.test('what is allowed by name comes through, and nothing else with it', async t => {
  const given = [group('pacs-admins', true), group('system'), group('guest')]
  t.same(admissibleGroups(given, { administrators: ['pacs-admins'], allowed: ['PACS-ADMINS'] }), {
    groups: [group('pacs-admins', true)],
    dropped: ['system', 'guest'],
  })
})

t.test('the order of the directory stays, and the Turkish i plays no part', async t => {
  t.same(admissibleGroups([group('b'), group('a')], none).groups, [group('b'), group('a')])
  t.same(admissibleGroups([group('GUEST\u0130')], none).dropped, [])
  t.same(admissibleGroups([], none), { groups: [], dropped: [] })
})

t.test('groups of the directory go and come with it, and ownership follows', async t => {
  const before = [
    { name: 'old', source: 'directory', owner: false },
    { name: 'kept', source: 'directory', owner: true },
  ] as const
  t.same(synchronized(before, [group('new', true), group('kept')]), [
    { name: 'new', source: 'directory', owner: true },
    { name: 'kept', source: 'directory', owner: false },
  ])
  t.same(synchronized(before, []), [])
})

t.test('a local group stays, stays local, and stands first, also where the directory has one of its name', async t => {
  const before = [
    { name: 'gone', source: 'directory', owner: false },
    { name: 'teachers', source: 'local', owner: false },
    { name: 'radiology', source: 'local', owner: false },
  ] as const
  t.same(synchronized(before, [group('radiology', true), group('new')]), [
    { name: 'teachers', source: 'local', owner: false },
    { name: 'radiology', source: 'local', owner: false },
    { name: 'new', source: 'directory', owner: false },
  ])
  t.same(synchronized(synchronized(before, [group('radiology')]), []), before.slice(1), 'and again')
})
