/**
 * The rules: closed unless opened, the first that names the person decides, and only this module prints a Permit.
 */
import t from 'tap'
import type { Access, AccessRule } from '../../src/config/route.ts'
import { type Answer, absent, proven, refused } from '../../src/identity/answer.ts'
import type { Principal, Proof } from '../../src/identity/principal.ts'
import { type Decision, decide, denyCrossSite, type Permit } from '../../src/policy/decide.ts'
import { explainRules } from '../../src/policy/explain.ts'
import { type Operation, operationOf } from '../../src/policy/operation.ts'
import type { Route } from '../../src/route/route.ts'

const routeWith = (access: Access): Route => ({
  label: 'routes[0]',
  host: undefined,
  path: '/',
  upstream: 'orthanc',
  kind: 'orthanc',
  strip: false,
  access,
})
const rule = (written: Partial<AccessRule> & Pick<AccessRule, 'may'>): AccessRule => ({ dangerous: false, ...written })

const password: Proof = { kind: 'password' }
const session: Proof = { kind: 'session', by: 'password', id: 'a1' }
const certificate: Proof = { kind: 'certificate', fingerprint: 'AB' }
const person = (name: string, groups: readonly string[], proof: Proof = password): Principal => ({
  name,
  realm: 'local',
  groups: new Set(groups),
  proof,
})
const alice = person('alice', ['radiology'])

const read = operationOf('orthanc', 'GET', '/system')
const store = operationOf('orthanc', 'POST', '/instances')
const erase = operationOf('orthanc', 'DELETE', '/instances/1')
const script = operationOf('orthanc', 'POST', '/tools/execute-script')
const peers = operationOf('orthanc', 'GET', '/peers')

const said = (decision: Decision) => (decision.outcome === 'permit' ? 'permit' : decision.reason)
const ask = (access: Access, operation: Operation, answer: Answer) => said(decide(routeWith(access), operation, answer))

t.test('each word of a rule gives what it says and no more', async t => {
  const rows: readonly (readonly [AccessRule['may'], ...string[]])[] = [
    // may                 read             store            erase            script
    ['read', 'permit', 'not-permitted', 'not-permitted', 'not-permitted'],
    ['write', 'permit', 'permit', 'not-permitted', 'not-permitted'],
    ['everything', 'permit', 'permit', 'permit', 'dangerous'],
    [['GET'], 'permit', 'not-permitted', 'not-permitted', 'not-permitted'],
    [['GET', 'POST', 'DELETE'], 'permit', 'permit', 'permit', 'dangerous'],
  ]
  for (const [may, ...expected] of rows) {
    const access = [rule({ groups: ['radiology'], may })]
    const found = [read, store, erase, script].map(operation => ask(access, operation, proven(alice)))
    t.same(found, expected, JSON.stringify(may))
  }
})

t.test('a list of methods gives HEAD with GET', async t => {
  const access = [rule({ people: ['alice'], may: ['GET'] })]
  t.equal(ask(access, operationOf('orthanc', 'HEAD', '/system'), proven(alice)), 'permit')
})

t.test('what is dangerous wants a rule that says so, for every method', async t => {
  const bold = [rule({ people: ['alice'], may: 'everything', dangerous: true })]
  for (const operation of [script, peers]) {
    t.equal(ask(bold, operation, proven(alice)), 'permit')
    t.equal(ask('authenticated', operation, proven(alice)), 'dangerous', 'being signed in is not enough')
    t.equal(ask('everyone', operation, proven(alice)), 'dangerous')
    t.equal(ask('everyone', operation, absent), 'dangerous')
    t.not(ask([rule({ people: ['alice'], may: ['GET', 'POST'] })], operation, proven(alice)), 'permit', 'nor is a list')
  }
  // The file refuses such a rule; should one get through, the list still gives nothing dangerous away.
  t.equal(ask([rule({ people: ['alice'], may: 'read', dangerous: true })], script, proven(alice)), 'not-permitted')
})

t.test('the first rule that names the person decides, whatever later ones would give', async t => {
  const access = [
    rule({ groups: ['students'], may: 'read' }),
    rule({ groups: ['radiology'], may: 'everything' }),
    rule({ people: ['bob'], may: 'write' }),
  ]
  t.equal(ask(access, erase, proven(person('carol', ['students', 'radiology']))), 'not-permitted')
  t.equal(ask(access, erase, proven(alice)), 'permit')
  t.equal(ask(access, store, proven(person('bob', []))), 'permit')
  t.equal(ask(access, read, proven(person('mallory', ['radiologists']))), 'not-a-member')
  t.equal(ask(access, read, proven(person('Bob', []))), 'not-a-member', 'names are compared exactly')
  t.equal(ask(access, read, proven(person('radiology', []))), 'not-a-member', 'a name is no group')
})

t.test('a rule may ask for a proof; a session stands for the password that opened it', async t => {
  const wants = (...proof: NonNullable<AccessRule['proof']>) => [rule({ people: ['alice'], may: 'read', proof })]
  const by = (proof: Proof) => proven(person('alice', [], proof))
  t.equal(ask(wants('certificate'), read, by(certificate)), 'permit')
  t.equal(ask(wants('certificate'), read, by(password)), 'proof-needed')
  t.equal(ask(wants('certificate'), read, by(session)), 'proof-needed')
  t.equal(ask(wants('password'), read, by(session)), 'permit')
  t.equal(ask(wants('session'), read, by(session)), 'permit')
  t.equal(ask(wants('session'), read, by(password)), 'proof-needed')
  t.equal(ask(wants('session', 'certificate'), read, by(certificate)), 'permit')
  const later = [...wants('certificate'), rule({ people: ['alice'], may: 'everything' })]
  t.equal(ask(later, read, by(password)), 'proof-needed', 'the rule that wants more is not skipped')
})

t.test('nobody gets in where anybody must be somebody, and learns whether signing in would help', async t => {
  const wrong = refused('certificate-expired', 'ended yesterday')
  for (const access of ['authenticated', [rule({ people: ['alice'], may: 'read' })]] satisfies Access[]) {
    t.match(decide(routeWith(access), read, absent), { outcome: 'deny', reason: 'no-identity', loginHelps: true })
    t.match(decide(routeWith(access), read, wrong), { reason: 'certificate-expired', loginHelps: true, refusal: wrong })
  }
  t.match(decide(routeWith([rule({ people: ['bob'], may: 'read' })]), read, proven(alice)), {
    reason: 'not-a-member',
    loginHelps: false,
    principal: { name: 'alice' },
  })
})

t.test('a refused credential closes no route that is open to everyone, and names nobody there', async t => {
  const decision = decide(routeWith('everyone'), read, refused('wrong-credentials', 'x', { claimed: 'alice' }))
  t.match(decision, { outcome: 'permit', principal: undefined })
})

t.test('a Permit cannot be forged', async t => {
  const takes = (permit: Permit) => permit.outcome
  const forged = { outcome: 'permit', route: routeWith('everyone'), operation: read, principal: undefined } as const
  // @ts-expect-error the brand is missing, and cannot be written down outside its module
  takes(forged)
  const real = decide(routeWith('everyone'), read, absent)
  t.equal(Object.getOwnPropertySymbols(real).length, 1, 'a real one bears the brand')
  t.equal(Object.getOwnPropertySymbols({ ...denyCrossSite('x', undefined) }).length, 0, 'a denial does not')
})

t.test('explain tells the verdicts that decide acts on', async t => {
  const access = [
    rule({ people: ['bob'], may: 'read' }),
    rule({ groups: ['radiology'], may: 'read' }),
    rule({ people: ['alice'], may: 'everything' }),
  ]
  const verdicts = (operation: Operation, who: Principal | undefined) =>
    explainRules(routeWith(access), operation, who).map(({ label, verdict }) => `${label} ${verdict}`)
  t.same(verdicts(store, alice), [
    'routes[0].access[0] not-named',
    'routes[0].access[1] not-permitted',
    'routes[0].access[2] not-reached',
  ])
  t.same(
    explainRules(routeWith(access), read, undefined).map(({ verdict }) => verdict),
    ['not-named', 'not-named', 'not-named'],
  )
  t.same(explainRules(routeWith('everyone'), read, alice), [])
})
