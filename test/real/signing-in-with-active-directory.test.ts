// A whole gateway in front of a real Active Directory: what people see, what is written down, who comes by certificate.
import t from 'tap'
import { within } from '../behaviour/app.ts'
import { fillIn } from '../behaviour/sign-in-house.ts'
import { startAuthority, type TestClient } from '../fixture/authority.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { requireSamba, startSamba } from '../fixture/samba.ts'
import { startUpstream } from '../fixture/upstream.ts'

if (!requireSamba(t)) process.exit(0)
const samba = await startSamba(t)
const upstream = await startUpstream(t)
const authority = await startAuthority(t)
const gateway = await startTestGateway(t, {
  authority,
  files: { ca: samba.ca, reader: samba.reader.password },
  yaml: `
realms:
  certificate: { id: staff, name: email, directory: true }
  directory:
    enabled: true
    urls: [${samba.gcsUrl}, ${samba.ldapsUrl}]
    tls: { ca: ca }
    username: ${samba.reader.upn}
    password: { file: reader }
    base: ""
    userFilter: (&(objectCategory=person)(objectClass=user))
    userMapping: omeName=userPrincipalName,firstName=givenName,lastName=sn,email=mail
    groupFilter: (objectClass=group)
    newUserGroup: ":query:(member=@{dn})"
    nestedGroups: true
    syncOnLogin: true
  ignoreCase: true
  throttle: { name: { failures: 4, within: 30 min }, address: { failures: 500, within: 5 min } }
  local: { file: state-users.yaml }
  basic: true
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: [{ groups: [all-staff], may: read }] }]
`,
})
const { people } = samba
const remote = (what: string) => upstream.received.at(-1)?.header(`x-remote-${what}`)
const refusals = () => gateway.audit().filter(({ kind }) => kind === 'login-refused' || kind === 'denial')

t.test('alice signs in by her UPN, in any spelling, and has her groups over all levels', async t => {
  const answer = await fillIn(gateway, 'Alice@LAB.test', people.alice.password)
  t.equal(answer.status, 303)
  const cookie = answer.cookies.find(line => line.startsWith('__Host-sallyport='))?.split(';')[0] ?? ''
  const before = samba.operations()
  t.equal((await gateway.ask('/', { cookie })).status, 200)
  t.equal(remote('user'), 'alice@lab.test')
  t.same(remote('groups')?.split(',').toSorted(), ['Domain Users', 'Users', 'all-staff', 'imaging', 'radiology'])
  t.same(samba.operations(), before, 'a request of a session asks nothing')
  t.equal((await gateway.ask('/', { basic: `alice@lab.test:${people.alice.password}` })).status, 200)
  t.equal((await gateway.ask('/', { basic: `frank@lab.test:${people.frank.password}` })).status, 403)
})

t.test('who may know it is told that the password has ended or must be changed; all else looks alike', async t => {
  const said = async (name: keyof typeof people, password: string = people[name].password) => {
    const { status, text } = await fillIn(gateway, people[name].upn, password)
    const [, alert = ''] = /role="alert"[^>]*>(?:\s*<[^>]*>)*\s*([^<]+)/.exec(text) ?? []
    return `${status} ${alert.trim()}`
  }
  const alike = await said('alice', 'wrong')
  t.match(alike, /^401 User name or password is wrong/)
  t.match(await said('heidi'), /^401 .*expired/i)
  t.match(await said('carol'), /^401 .*change/i)
  t.equal(await said('heidi', 'wrong'), alike)
  t.equal(await said('carol', 'wrong'), alike)
  for (const name of ['bob', 'dave', 'erin', 'ivan', 'judy'] as const) t.equal(await said(name), alike, name)
  for (const data of ['52e', '530', '531', '532', '533', '701', '773', '775'])
    t.ok(
      await within(5_000, () => refusals().some(({ detail }) => String(detail).includes(`data ${data}`))),
      `data ${data} is in the audit trail`,
    )
})

t.test('holders of certificates are who the directory says: disabled, expired and locked ones are nobody', async t => {
  const holder = (upn: string): Promise<TestClient> => authority.client('somebody', { email: upn })
  const ask = async (client: TestClient) => {
    const { status, text } = await gateway.ask('/', { client })
    return status === 200 ? remote('user') : `${status} ${JSON.parse(text).reason ?? ''}`
  }
  t.equal(await ask(await holder('ALICE@lab.test')), 'alice@lab.test')
  t.equal(remote('proof'), 'certificate')
  t.ok(remote('groups')?.includes('all-staff'))
  for (const name of ['bob', 'dave', 'erin'] as const)
    t.equal(await ask(await holder(people[name].upn)), '401 account-closed', name)
  t.equal(await ask(await holder('nobody@lab.test')), '401 certificate-not-in-directory')
})
