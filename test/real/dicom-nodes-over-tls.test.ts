/**
 * Real DICOM nodes (dcmtk) with TLS at the gate, and real servers (storescp) in plain TCP behind it.
 *
 * Source: DICOM PS3.15 B.9 to B.13 (BCP 195 profiles), PS3.8 9.3.4.
 */
import { join } from 'node:path'
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { dcmtkTools, runScu, startStorescp } from '../fixture/dcmtk.ts'
import { requireReal } from '../fixture/real.ts'
import { startStream } from '../fixture/stream.ts'

const yaml = `{ protocol: dicom, access: authenticated, tls: { floor: dicom-bcp195 },
  titles: { "CN=ct-scanner-1": [CT1, CT2] } }`

t.test('a modality comes in by its certificate, under its own title', async t => {
  if (!requireReal(t, dcmtkTools)) return
  const authority = await startAuthority(t)
  const archive = await startStorescp(t)
  const { upstream, clients } = { upstream: archive.port, clients: 'required' as const }
  const ct = await authority.client('ct-scanner-1', { key: 'rsa-2048' })
  const ec = await authority.client('ct-scanner-1', { key: 'ec-p256' })
  const other = await authority.client('mr-scanner-1')
  const rogue = await authority.rogueClient('ct-scanner-1')
  const { caFile } = authority

  const profiles: [what: string, floor: string, args: string[], said: RegExp][] = [
    ['Non-downgrading BCP 195 (+py, its default)', 'dicom-bcp195', ['+py'], /TLSv1\.3/],
    ['BCP 195 (+px)', 'dicom-bcp195', ['+px'], /TLSv1\.3/],
    ['Extended BCP 195 (+pz)', 'dicom-bcp195', ['+pz'], /TLSv1\.[23]/],
    ['BCP 195 (+px), against Modified BCP 195', 'dicom-bcp195-modified', ['+px'], /TLSv1\.3/],
    ['Extended BCP 195 (+pz), against Modified BCP 195', 'dicom-bcp195-modified', ['+pz'], /TLSv1\.[23]/],
    ['Non-downgrading BCP 195 (+py), against IHE ATNA', 'ihe-atna', ['+py'], /TLSv1\.3/],
  ]
  for (const [what, floor, args, said] of profiles) {
    for (const pair of [ct, ec]) {
      await t.test(`C-ECHO with ${what}, ${pair === ct ? 'RSA' : 'EC'}`, async t => {
        const stream = await startStream(t, {
          ...{ upstream, clients, authority },
          yaml: yaml.replace('dicom-bcp195', floor),
        })
        const echo = await runScu('echoscu', { port: stream.port, tls: { pair, caFile, args } })
        t.equal(echo.exitCode, 0, 'exit code', { said: echo.said.slice(-3_000) })
        t.match(echo.said, said)
        t.match(stream.events, [{ kind: 'stream', who: { name: 'ct-scanner-1' }, calling: 'CT1', called: 'PACS' }])
        t.match(await stream.ended(), { ending: undefined, user: 'ct-scanner-1' })
      })
    }
  }
  await t.test('what the gate does not have is refused at the handshake', async t => {
    for (const args of [['+pn'], ['+pa']]) {
      const stream = await startStream(t, { upstream, clients, authority, yaml })
      const echo = await runScu('echoscu', { port: stream.port, tls: { pair: ct, caFile, args } })
      t.equal(echo.exitCode, 1, `${args} is retired: no encryption, or CBC with RSA key exchange`)
      t.same(stream.events, [])
    }
  })
  await t.test('the host name is in the certificate, by name and by address', async t => {
    const stream = await startStream(t, { upstream, clients, authority, yaml })
    for (const host of ['localhost', '127.0.0.1'])
      t.match(await runScu('echoscu', { port: stream.port, host, tls: { pair: ct, caFile } }), { exitCode: 0 })
  })

  const refusals: [what: string, Parameters<typeof runScu>[1], said: RegExp, event: object | undefined][] = [
    [
      'a title of somebody else',
      { port: 0, calling: 'MR1', tls: { pair: ct, caFile } },
      /Association Rejected[\s\S]*Rejected Permanent[\s\S]*Calling AE Title Not Recognized/,
      { kind: 'stream-denial', reason: 'title-not-allowed', calling: 'MR1', who: { name: 'ct-scanner-1' } },
    ],
    [
      'the right title with the certificate of somebody else',
      { port: 0, calling: 'CT1', tls: { pair: other, caFile } },
      /Calling AE Title Not Recognized/,
      { kind: 'stream-denial', reason: 'title-not-allowed', who: { name: 'mr-scanner-1' } },
    ],
    [
      'no certificate',
      { port: 0, tls: { caFile } },
      /Peer aborted Association|connection/i,
      { kind: 'stream-denial', reason: 'certificate-missing' },
    ],
    [
      'a certificate of a stranger with the name of our authority',
      { port: 0, tls: { pair: rogue, caFile } },
      /Peer aborted Association|connection/i,
      { kind: 'stream-denial', reason: 'certificate-not-trusted' },
    ],
    ['plain TCP', { port: 0 }, /Peer aborted Association|connection/i, undefined],
    [
      'a node that trusts another authority',
      { port: 0, tls: { pair: ct, caFile: rogue.certFile } },
      /TLS error/,
      undefined,
    ],
  ]
  for (const [what, options, said, event] of refusals) {
    await t.test(`refused: ${what}`, async t => {
      const stream = await startStream(t, { upstream, clients, authority, yaml })
      const echo = await runScu('echoscu', { ...options, port: stream.port })
      t.equal(echo.exitCode, 1)
      t.match(echo.said, said)
      t.match(stream.events, event === undefined ? [] : [event])
      t.equal(stream.events.length, event === undefined ? 0 : 1)
    })
  }

  await t.test('an archive that is down is told as something that passes', async t => {
    const stream = await startStream(t, { upstream: 1, clients, authority, yaml })
    const echo = await runScu('echoscu', { port: stream.port, tls: { pair: ct, caFile } })
    t.equal(echo.exitCode, 1)
    t.match(echo.said, /Rejected Transient[\s\S]*Temporary Congestion/)
  })
  await t.test('files are stored', async t => {
    const stream = await startStream(t, { upstream, clients, authority, yaml })
    const folder = '/usr/lib/python3/dist-packages/pydicom/data/test_files'
    const files = ['CT_small.dcm', 'MR_small.dcm'].map(name => join(folder, name))
    if (!requireReal(t, files)) return
    const store = await runScu('storescu', { port: stream.port, tls: { pair: ct, caFile }, files })
    t.equal(store.exitCode, 0, 'exit code', { said: store.said.slice(-3_000) })
    t.equal(archive.stored().length, 2)
    t.match(await stream.ended(), { ending: undefined, user: 'ct-scanner-1', calling: 'CT1' })
  })
})
