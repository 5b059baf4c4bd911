/**
 * A real Orthanc sends to a second real Orthanc through the gate, as a peer: with a password, with a certificate, with an
 * encrypted key; and what is turned away reaches nobody.
 *
 * Not to forget: libcurl inside Orthanc speaks HTTP/2 and TLS 1.3 where it is offered, and reads its key files itself.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { within } from '../behaviour/app.ts'
import { startAuthority } from '../fixture/authority.ts'
import { startTestGateway, type TestGateway } from '../fixture/gateway.ts'
import { orthancTools, startOrthanc } from '../fixture/orthanc.ts'
import { requireReal } from '../fixture/real.ts'

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

/** Orthanc's own API, on its own port: an object, or nothing at all when a peer has failed. */
async function ask(url: string, path: string, body?: string): Promise<Answer> {
  const answer = await fetch(`${url}${path}`, body === undefined ? {} : { method: 'POST', body })
  const text = await answer.text()
  return { status: answer.status, body: JSON.parse(text === '' ? '{}' : text) as Record<string, unknown> } // see above
}

const countIn = async (url: string): Promise<unknown> => (await ask(url, '/statistics')).body['CountInstances']

const access = `
    access:
      - { groups: [senders], may: write }
      - { people: [ct-archive], may: write, proof: [certificate] }`

/** Orthanc B with a gateway that asks for certificates and one that requires them; what Orthanc A needs to call them. */
async function startHouse(t: Test) {
  const authority = await startAuthority(t)
  const behind = await startOrthanc(t)
  const yaml = `
upstreams: { orthanc: { kind: orthanc, url: "${behind.url}" } }
routes:
  - path: /
    upstream: orthanc${access}`
  const accounts = { sender: { password: 'password-of-sender', groups: ['senders'] } }
  const start = (certificate: 'optional' | 'required') =>
    startTestGateway(t, { authority, certificate, accounts, yaml })
  return { authority, behind, optional: await start('optional'), required: await start('required') }
}

const peersOf = async (house: Awaited<ReturnType<typeof startHouse>>) => {
  const { authority, optional, required } = house
  const holder = await authority.client('ct-archive')
  const stranger = await authority.client('somebody-else')
  const rogue = await authority.rogueClient('ct-archive')
  const locked = join(dirname(holder.keyFile), 'locked.key')
  execFileSync('openssl', ['pkey', '-in', holder.keyFile, '-aes256', '-passout', 'pass:key-password', '-out', locked])
  chmodSync(locked, 0o600)
  const withKey = (gateway: TestGateway, certificate: string, key: string, password = '') => ({
    Url: `${gateway.url}/`,
    CertificateFile: certificate,
    CertificateKeyFile: key,
    CertificateKeyPassword: password,
  })
  return {
    password: [`${optional.url}/`, 'sender', 'password-of-sender'],
    certificate: withKey(required, holder.certFile, holder.keyFile),
    'certificate-where-optional': withKey(optional, holder.certFile, holder.keyFile),
    'encrypted-key': withKey(required, holder.certFile, locked, 'key-password'),
    'by-address': { ...withKey(required, holder.certFile, holder.keyFile), Url: `https://127.0.0.1:${required.port}` },
    nobody: [`${optional.url}/`],
    'wrong-password': [`${optional.url}/`, 'sender', 'wrong-password'],
    'rogue-certificate': withKey(required, rogue.certFile, rogue.keyFile),
    'rogue-where-optional': withKey(optional, rogue.certFile, rogue.keyFile),
    'no-certificate': [`${required.url}/`, 'sender', 'password-of-sender'],
    'certificate-of-somebody-else': withKey(required, stranger.certFile, stranger.keyFile),
    'wrong-key-password': withKey(required, holder.certFile, locked, 'wrong'),
  }
}

t.test('Orthanc as a peer of Orthanc, through the gate', async t => {
  if (!requireReal(t, [...orthancTools, 'openssl'])) return
  const house = await startHouse(t)
  const { authority, behind, optional, required } = house
  const peers = await peersOf(house)
  const front = await startOrthanc(t, {
    study: { slices: 3, size: 64 },
    extra: { HttpsCACertificates: authority.caFile, OrthancPeers: peers },
  })
  const nameBehind = (await ask(behind.url, '/system')).body['Name']
  const [study] = (await (await fetch(`${front.url}/studies`)).json()) as string[] // a list of ids
  const known = new Set<unknown>()
  /** What the two gateways have answered since it was asked for last: `count` lines, or more. */
  const told = async (count: number) => {
    const lines: Record<string, unknown>[] = []
    const look = () => {
      const all = [...optional.log(), ...required.log()].filter(line => line['message'] === 'exchange')
      lines.push(...all.filter(line => !known.has(line['id']) && known.add(line['id'])))
      return lines.length >= count
    }
    await within(1_000, look)
    return lines
  }

  for (const peer of ['password', 'certificate', 'certificate-where-optional', 'encrypted-key', 'by-address']) {
    await t.test(`gets through: ${peer}`, async t => {
      const system = await ask(front.url, `/peers/${peer}/system`)
      t.equal(system.status, 200, front.log())
      t.equal(system.body['Name'], nameBehind, 'the answer is that of the Orthanc behind the gate')

      const stored = await ask(front.url, `/peers/${peer}/store`, study)
      t.match(stored, { status: 200, body: { InstancesCount: 3, FailedInstancesCount: 0 } }, front.log())
      t.equal(await countIn(behind.url), 3, 'the study is there')
      const proof = peer === 'password' ? 'password' : 'certificate'
      const lines = await told(4)
      t.ok(
        lines.length >= 4 && lines.every(line => line['protocol'] === 'HTTP/2' && line['proof'] === proof),
        'by HTTP/2',
      )
      await fetch(`${behind.url}/studies/${study}`, { method: 'DELETE' })
      t.equal(await countIn(behind.url), 0)
    })
  }

  for (const [peer, why] of [
    ['nobody', 'no-identity'],
    ['wrong-password', 'wrong-credentials'],
    ['rogue-certificate', 'certificate-not-trusted'],
    ['rogue-where-optional', 'certificate-not-trusted'],
    ['no-certificate', 'certificate-missing'],
    ['certificate-of-somebody-else', 'not-a-member'],
    ['wrong-key-password', undefined],
  ] as const) {
    await t.test(`is turned away: ${peer}`, async t => {
      const system = await ask(front.url, `/peers/${peer}/system`)
      t.not(system.status, 200)
      t.notOk(JSON.stringify(system.body).includes(String(nameBehind)))
      const stored = await ask(front.url, `/peers/${peer}/store`, study)
      t.not(stored.status, 200)
      t.equal(await countIn(behind.url), 0, 'nothing has reached the Orthanc behind the gate')
      const lines = await told(why === undefined ? 0 : 2)
      if (why === undefined) t.same(lines, [], 'Orthanc itself could not read its key')
      else t.ok(lines.length >= 2 && lines.every(line => line['denied'] === why), JSON.stringify(lines))
    })
  }
})

t.test('Orthanc does not take a gate whose authority it does not know', async t => {
  if (!requireReal(t, orthancTools)) return
  const { optional, behind } = await startHouse(t)
  const other = await startAuthority(t, 'Another Authority')
  const front = await startOrthanc(t, {
    study: { slices: 1, size: 64 },
    extra: {
      HttpsCACertificates: other.caFile,
      OrthancPeers: { gate: [`${optional.url}/`, 'sender', 'password-of-sender'] },
    },
  })
  const system = await ask(front.url, '/peers/gate/system')
  t.equal(system.status, 500)
  t.match(front.log(), /SSL peer certificate|certificate/i)
  t.equal(await countIn(behind.url), 0)
  t.equal(optional.audit().filter(line => line['kind'] === 'login').length, 0, 'the password has not left Orthanc')
})
