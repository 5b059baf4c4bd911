// The audit trail is moved by a rotation, removed, cut to nothing, or its folder is gone: no line goes where nobody finds it,
// and no signal and no restart is needed, neither for a new file nor for a folder that is given back.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { within } from '../behaviour/app.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'

async function startArchive(t: Test, onFailure: 'continue' | 'refuse') {
  const upstream = await startUpstream(t)
  const logs = join(t.testdir(), 'logs')
  mkdirSync(logs)
  const gateway = await startTestGateway(t, {
    accounts: { alice: { password: 'alice-password' } },
    yaml: `
audit: { file: ${join(logs, 'audit.jsonl')}, onFailure: ${onFailure} }
upstreams: { app: { kind: orthanc, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: authenticated }]`,
  })
  const cookie = await gateway.signIn('alice', 'alice-password')
  let study = 0
  return {
    gateway,
    logs,
    upstream,
    /** Opens a study that nobody has opened before; its number. */
    async open() {
      study++
      const answer = await gateway.ask(`/studies/1.2.${study}`, { cookie })
      return { study, status: answer.status, text: answer.text }
    },
    /** Whether the trail in this file tells of the study, within two seconds. */
    told: (file: string, of: number) =>
      within(2_000, () => existsSync(file) && readFileSync(file, 'utf8').includes(`"study":"1.2.${of}"`)),
  }
}

t.test('by a rotation of each kind', async t => {
  const { gateway, logs, open, told } = await startArchive(t, 'continue')
  const trail = join(logs, 'audit.jsonl')
  const rotations: Readonly<Record<string, () => string | undefined>> = {
    'it is moved': () => {
      renameSync(trail, `${trail}.1`)
      return `${trail}.1`
    },
    'it is moved, and an empty one put in its place': () => {
      renameSync(trail, `${trail}.2`)
      writeFileSync(trail, '', { mode: 0o600 })
      return `${trail}.2`
    },
    'it is removed': () => {
      rmSync(trail)
      return undefined
    },
    'it is copied, and cut to nothing': () => {
      writeFileSync(`${trail}.3`, readFileSync(trail))
      truncateSync(trail)
      return `${trail}.3`
    },
  }
  for (const [name, rotate] of Object.entries(rotations)) {
    const before = await open()
    t.ok(await told(trail, before.study))
    const old = rotate()
    const after = await open()
    t.ok(await told(trail, after.study), `${name}: the next line is in the new file`)
    if (old !== undefined) {
      t.ok(await told(old, before.study), `${name}: the old one has the lines of before`)
      t.notMatch(readFileSync(old, 'utf8'), `"study":"1.2.${after.study}"`, `${name}: and none of after`)
    }
    t.notMatch(readFileSync(trail, 'utf8'), '\0', `${name}: it begins at its beginning`)
    t.equal(statSync(trail).mode & 0o777, 0o600, `${name}: for its owner alone`)
  }
  renameSync(trail, `${trail}.4`)
  t.ok((await gateway.reload()).ok)
  t.ok(
    await within(2_000, () => existsSync(trail) && /"kind":"reload"/.test(readFileSync(trail, 'utf8'))),
    'SIGHUP goes there too',
  )
  t.notOk(gateway.log().some(({ message }) => message === 'the audit trail cannot be written'))
})

for (const onFailure of ['continue', 'refuse'] as const) {
  t.test(`its folder is removed, and given back, where the site says ${onFailure}`, async t => {
    const { gateway, logs, upstream, open, told } = await startArchive(t, onFailure)
    const trail = join(logs, 'audit.jsonl')
    t.ok(await told(trail, (await open()).study))
    renameSync(logs, `${logs}.away`)
    const received = upstream.received.length
    const meanwhile = await open()
    if (onFailure === 'continue') t.equal(meanwhile.status, 200, 'care goes on')
    else {
      t.match(JSON.parse(meanwhile.text), { status: 503, reason: 'audit-unavailable' })
      t.equal(upstream.received.length, received, 'and nobody was asked')
    }
    t.ok(
      await within(2_000, () =>
        gateway
          .log()
          .some(({ message, cause }) => message === 'the audit trail cannot be written' && /ENOENT/.test(`${cause}`)),
      ),
      'the operator is told',
    )
    t.notOk(
      await within(0, () =>
        readFileSync(join(`${logs}.away`, 'audit.jsonl'), 'utf8').includes(`1.2.${meanwhile.study}"`),
      ),
    )
    mkdirSync(logs)
    const after = await open()
    t.equal(after.status, 200)
    t.ok(await told(trail, after.study), 'given back, without a restart')
  })
}
