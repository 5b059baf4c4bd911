/**
 * Who somebody is now: by the account and the realm behind a session, by what a password rests on, by a certificate.
 */
import t from 'tap'
import { proven, refused } from '../../src/identity/answer.ts'
import type { DirectoryAccount } from '../../src/identity/directory-account.ts'
import type { LocalAccount } from '../../src/identity/local-accounts.ts'
import { createPresence, groupsNow, type PresenceParts, type SessionAccounts } from '../../src/identity/presence.ts'
import type { Principal } from '../../src/identity/principal.ts'

const local: LocalAccount = { name: 'alice', groups: ['here'], locked: false, createdAt: '2026-01-01T00:00:00Z' }
const directory: DirectoryAccount = {
  ...{ name: 'alice', dn: 'uid=alice', entryId: undefined, particulars: {}, locked: false, createdAt: 0 },
  ...{ groups: [{ name: 'there', source: 'directory', owner: false }], lastLoginAt: undefined },
}
const knows = <Account>(account: Account | undefined) => ({ find: () => account })

t.test('a session holds while its account does, and its realm lets people in', async t => {
  const cases: readonly (readonly [string, string, Partial<SessionAccounts>, readonly string[] | undefined])[] = [
    ['a local account', 'local', { local: knows(local) }, ['here']],
    ['which is locked', 'local', { local: knows({ ...local, locked: true }) }, undefined],
    ['which is gone', 'local', {}, undefined],
    ['which lies dormant', 'local', { local: knows(local), accounts: knows(directory) }, undefined],
    ['where only the directory is asked', 'local', { local: knows(local), provider: 'directory' }, undefined],
    ['of the directory', 'directory', { accounts: knows(directory) }, ['there']],
    ['as variant 431', 'directory', { accounts: knows(directory), provider: 'chained431' }, ['there']],
    ['locked here', 'directory', { accounts: knows({ ...directory, locked: true }) }, undefined],
    ['where only local ones are let in', 'directory', { accounts: knows(directory), provider: 'local' }, undefined],
    ['where there is no directory any more', 'directory', { accounts: undefined }, undefined],
    ['of a realm that is gone', 'staff', { local: knows(local), accounts: knows(directory) }, undefined],
  ]
  for (const [what, realm, given, groups] of cases) {
    const accounts: SessionAccounts = {
      local: knows(undefined),
      accounts: knows(undefined),
      provider: 'chained',
      ...given,
    }
    const now = groupsNow({ name: 'alice', realm }, accounts)
    t.same(now && [...now], groups, what)
  }
})

t.test('each proof is asked in its own way', async t => {
  const principal = (proof: Principal['proof']): Principal => ({
    ...{ name: 'alice', realm: 'local', groups: new Set(['before']), proof },
  })
  const session = principal({ kind: 'session', by: 'password', id: 's1' })
  const password = principal({ kind: 'password', standing: 'then' })
  const certificate = principal({ kind: 'certificate', fingerprint: 'AB' })
  const ask = (was: Principal, given: Partial<PresenceParts> = {}) => {
    const now = createPresence({
      ...{ local: knows(local), accounts: knows(undefined), provider: 'chained', basic: true, now: () => 0 },
      sessions: {
        peek: () => ({ ...session, id: 's1', by: 'password', from: '', createdAt: 0, lastUsedAt: 0, endsAt: 1 }),
      },
      standing: () => 'then',
      certificatesOf: () => ({ known: () => undefined }),
      ...given,
    })(was, Object(was), 'web')
    return now && [...now.groups]
  }
  t.same(ask(session), ['here'], 'with the groups of now')
  t.equal(ask(session, { sessions: { peek: () => undefined } }), undefined)
  t.same(ask(password), ['before'])
  t.equal(ask(password, { standing: () => 'now' }), undefined)
  t.equal(ask(password, { basic: false }), undefined)
  t.equal(ask(password, { provider: 'directory' }), undefined, 'a reload has taken its realm away')
  t.equal(ask(principal({ kind: 'password' }), { standing: () => undefined }), undefined)
  t.same(ask(certificate), ['before'], 'the directory is being asked')
  const known = proven({ ...certificate, groups: new Set(['now']) })
  t.same(ask(certificate, { certificatesOf: () => ({ known: () => known }) }), ['now'])
  const taken = refused('certificate-revoked', 'taken back')
  t.same(ask(certificate, { certificatesOf: () => ({ known: () => taken }) }), ['before'], 'holders.ts ends it')
})
