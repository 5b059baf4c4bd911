/**
 * A stream whose holders are looked up: groups of the directory count in its rules, and a connection waits for the answer.
 */
import t from 'tap'
import type { DirectoryAccount } from '../../src/identity/directory-account.ts'
import { out, type Verdict } from '../../src/identity/directory-verdict.ts'
import { Fault } from '../../src/kernel/fault.ts'
import { startStream } from '../fixture/stream.ts'
import { startTcpUpstream } from '../fixture/tcp-upstream.ts'
import { refusalIn, request } from './pdus.ts'

const account = (name: string, group: string): DirectoryAccount => ({
  ...{ name, dn: `uid=${name}`, entryId: undefined, particulars: {}, locked: false, createdAt: 0 },
  ...{ groups: [{ name: group, source: 'directory', owner: false }], lastLoginAt: undefined },
})

const down = () => Promise.reject(new Fault('directory-unavailable'))
const said: Readonly<Record<string, () => Verdict | Promise<Verdict>>> = {
  alice: () => ({ kind: 'in', account: account('alice', 'modalities') }),
  slow: () => new Promise(resolve => setTimeout(resolve, 300, { kind: 'in', account: account('slow', 'modalities') })),
  bob: () => ({ kind: 'in', account: account('bob', 'others') }),
  closed: () => out('closed', 'disabled'),
}
const verdicts = { of: (name: string) => (said[name] ?? down)(), known: () => undefined }
const rules = 'access: [{ groups: [modalities] }]'

t.test('a raw stream', async t => {
  const upstream = await startTcpUpstream(t, { keeps: false, onConnection: socket => socket.pipe(socket) })
  const yaml = `{ protocol: raw, ${rules} }`
  const stream = await startStream(t, { upstream: upstream.port, yaml, clients: 'required', verdicts })

  for (const name of ['alice', 'slow']) {
    using client = await stream.open(await stream.authority.client(name))
    await client.write('hello')
    t.match(await client.read({ until: 'hello' }), { ended: 'until' }, name)
    client.close()
    t.match(await stream.ended(), { user: name })
  }
  for (const [name, denied] of Object.entries({ bob: 'not-a-member', closed: 'account-closed' })) {
    using client = await stream.open(await stream.authority.client(name))
    t.match(await client.read(), { text: '', ended: 'end' })
    client.end()
    t.match(await stream.ended(), { ending: 'denied', denied })
  }
  const events = stream.events.length
  using client = await stream.open(await stream.authority.client('never asked for'))
  t.match(await client.read(), { text: '', ended: 'end' })
  client.end()
  t.match(await stream.ended(), { ending: 'fault', fault: 'directory-unavailable', denied: undefined })
  t.equal(stream.events.length, events, 'a fault is no denial')
})

t.test('a modality that cannot be looked up just now is told to try again later', async t => {
  const upstream = await startTcpUpstream(t)
  const yaml = `{ protocol: dicom, ${rules} }`
  const stream = await startStream(t, { upstream: upstream.port, yaml, clients: 'required', verdicts })
  using client = await stream.open(await stream.authority.client('never asked for'))
  await client.write(request())
  t.match(refusalIn((await client.read({ until: /^[\s\S]{10}/ })).bytes), /^3 2 /, 'transient')
  client.end()
  t.match(await stream.ended(), { ending: 'fault', fault: 'directory-unavailable' })
  t.same(upstream.came, [])
})
