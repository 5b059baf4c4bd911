/**
 * What is told: every change, each study once in an hour, the same denial once in a minute. Never a line for each frame.
 */
import t from 'tap'
import { createNoteworthy, studyOf } from '../../src/audit/noteworthy.ts'
import { absent, proven, refused } from '../../src/identity/answer.ts'
import type { Principal } from '../../src/identity/principal.ts'
import { type Denial, decide, type Permit } from '../../src/policy/decide.ts'
import { operationOf } from '../../src/policy/operation.ts'
import { type CanonicalTarget, canonicalTarget } from '../../src/route/canonical-path.ts'
import type { Route } from '../../src/route/route.ts'
import { movedClock } from '../identity/moved-clock.ts'

const route: Route = {
  label: 'routes[1]',
  host: undefined,
  path: '/',
  upstream: 'pacs',
  kind: 'orthanc',
  strip: false,
  access: [{ groups: ['radiology'], may: 'everything', dangerous: true }],
}
const person = (name: string, realm: Principal['realm'] = 'local'): Principal => ({
  name,
  realm,
  groups: new Set(['radiology']),
  proof: { kind: 'password' },
})

function target(text: string): CanonicalTarget {
  const found = canonicalTarget(text)
  if ('ambiguous' in found) throw new Error(found.ambiguous)
  return found
}
function permit(method: string, text: string, who: Principal | null = person('alice'), on: Route = route): Permit {
  const decision = decide(on, operationOf(on.kind, method, target(text).path), who === null ? absent : proven(who))
  if (decision.outcome !== 'permit') throw new Error(decision.reason)
  return decision
}

t.test('a study is named in the path or the query', async t => {
  const rows: Record<string, string | undefined> = {
    '/dicom-web/studies/1.2.840.1/series/1.2/instances/3/frames/4': '1.2.840.1',
    '/studies/5b1c2d3e-11111111': '5b1c2d3e-11111111',
    '/wado?requestType=WADO&studyUID=1.2.3&objectUID=4': '1.2.3',
    '/dicom-web/studies': undefined,
    '/dicom-web/studies?PatientID=1': undefined,
    '/studiesx/1.2.3': undefined,
    '/system': undefined,
  }
  for (const [text, study] of Object.entries(rows)) t.equal(studyOf(target(text)), study, text)
})

t.test('a study is told once for each person and hour, not for each frame', async t => {
  const clock = movedClock()
  const noteworthy = createNoteworthy(clock.now)
  const look = (text: string, who = person('alice')) =>
    noteworthy.ofPermit(permit('GET', text, who), target(text), '192.0.2.1')?.kind
  t.equal(look('/dicom-web/studies/1.2.3/metadata'), 'study')
  for (let frame = 1; frame < 100; frame++)
    t.equal(look(`/dicom-web/studies/1.2.3/instances/1/frames/${frame}`), undefined)
  t.equal(look('/dicom-web/studies/1.2.4/metadata'), 'study', 'another study')
  t.equal(look('/dicom-web/studies/1.2.3/metadata', person('bob')), 'study', 'another person')
  t.equal(look('/dicom-web/studies/1.2.3/metadata', person('alice', 'directory')), 'study', 'another realm')
  t.equal(look('/system'), undefined, 'no study at all')
  clock.move(61 * 60_000)
  t.equal(look('/dicom-web/studies/1.2.3/metadata'), 'study', 'an hour later')
})

t.test('changes and deletions are told each time, with who and where', async t => {
  const noteworthy = createNoteworthy(() => 0)
  const told = (method: string, text: string) => noteworthy.ofPermit(permit(method, text), target(text), '192.0.2.1')
  for (let times = 0; times < 2; times++) {
    t.same(told('POST', '/instances?token=secret'), {
      kind: 'change',
      who: { name: 'alice', realm: 'local', proof: 'password' },
      address: '192.0.2.1',
      where: { method: 'POST', path: '/instances', route: 'routes[1]' },
    })
    t.match(told('DELETE', '/instances/1'), { kind: 'deletion', where: { path: '/instances/1' } })
  }
  t.equal(told('POST', '/tools/find'), undefined, 'asking is no change')
})

t.test("nobody is told as nobody, and the viewer's own pages are no studies", async t => {
  const noteworthy = createNoteworthy(() => 0)
  const open: Route = { ...route, access: 'everyone' }
  const text = '/dicom-web/studies/1.2.3'
  const anonymous = noteworthy.ofPermit(permit('GET', text, null, open), target(text), '192.0.2.1')
  t.match(anonymous, { kind: 'study' })
  t.notOk(anonymous !== undefined && 'who' in anonymous)
  const viewer: Route = { ...open, kind: 'ohif' }
  t.equal(noteworthy.ofPermit(permit('GET', text, null, viewer), target(text), '192.0.2.1'), undefined)
})

t.test('the same denial of the same caller is told once a minute', async t => {
  const clock = movedClock()
  const noteworthy = createNoteworthy(clock.now)
  const where = { method: 'GET', path: '/x', route: 'routes[1]' }
  const denial = (answer: Parameters<typeof decide>[2]): Denial => {
    const decision = decide(
      { ...route, access: [{ people: ['carol'], may: 'read', dangerous: false }] },
      operationOf('orthanc', 'GET', '/x'),
      answer,
    )
    if (decision.outcome !== 'deny') throw new Error('permitted')
    return decision
  }
  const told = (answer: Parameters<typeof decide>[2], address = '192.0.2.1') =>
    noteworthy.ofDenial(denial(answer), where, address)
  t.same(told(proven(person('alice'))), {
    kind: 'denial',
    who: { name: 'alice', realm: 'local', proof: 'password' },
    reason: 'not-a-member',
    address: '192.0.2.1',
    where,
  })
  t.equal(told(proven(person('alice'))), undefined)
  t.ok(told(proven(person('bob'))), 'another person')
  t.ok(told(proven(person('alice')), '192.0.2.2'), 'another address')
  t.match(told(refused('certificate-expired', 'ended yesterday', { claimed: 'alice' })), {
    reason: 'certificate-expired',
    detail: 'ended yesterday',
  })
  t.match(noteworthy.ofCertificate('certificate-expired', 'x', '192.0.2.1'), { kind: 'certificate-refused' })
  t.equal(noteworthy.ofCertificate('certificate-expired', 'x', '192.0.2.1'), undefined)
  clock.move(61_000)
  t.ok(told(proven(person('alice'))), 'a minute later')
})

t.test('the memory is bounded: the oldest is forgotten first', async t => {
  const noteworthy = createNoteworthy(() => 0)
  const look = (number: number) => {
    const text = `/dicom-web/studies/1.2.${number}`
    return noteworthy.ofPermit(permit('GET', text), target(text), 'x') !== undefined
  }
  for (let number = 0; number <= 50_000; number++) look(number)
  t.notOk(look(50_000), 'still known')
  t.ok(look(0), 'forgotten, and told again')
})
