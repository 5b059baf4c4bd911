/**
 * A stream as part of the whole gateway: opened, audited, reloaded and drained with everything else.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { rawTls } from '../fixture/raw-tls.ts'
import { startTcpUpstream } from '../fixture/tcp-upstream.ts'
import { accept, refusalIn, request } from './pdus.ts'

t.test('a gateway with a stream', async t => {
  const authority = await startAuthority(t)
  const upstream = await startTcpUpstream(t)
  const { certFile, keyFile } = await authority.server(['localhost'], ['127.0.0.1'])
  const folder = join(authority.dir, 'stream')
  mkdirSync(folder)
  const truststore = join(folder, 'nodes.pem')
  writeFileSync(truststore, authority.caPem)
  const yamlOf = (titles: string) => `
streams:
  dicom:
    bind: 127.0.0.1:0
    protocol: dicom
    keystore: { certificate: ${certFile}, key: ${keyFile} }
    clients: { certificate: required, truststore: ${truststore} }
    upstream: tcp://127.0.0.1:${upstream.port}
    titles: ${titles}
    access: [{ groups: [modalities] }]
realms: { certificate: { groups: [modalities] }, local: { file: state-users.yaml } }`
  const gateway = await startTestGateway(t, { yaml: yamlOf('{ "CN=ct": [CT1] }'), authority })
  const ct = await authority.client('ct')
  const { urls = [] } = gateway.gateway.listeners.find(({ name }) => name === 'dicom') ?? {}
  t.match(urls, [/^tls:\/\/127\.0\.0\.1:\d+$/], 'what the "listening" line shows')
  const port = Number(new URL(urls[0] ?? '').port)
  const open = () => rawTls(port, { ca: authority.caPem, cert: ct.chainPem, key: ct.keyPem })
  const associate = async (calling: string) => {
    const client = await open()
    await client.write(request({ calling }))
    return client
  }

  /** Where a trail that fails does not stop care, its lines are written in the background. */
  const told = async (kind: string, reason?: string): Promise<unknown> => {
    const fits = (line: Record<string, unknown>) => line['kind'] === kind && line['reason'] === reason
    for (const deadline = Date.now() + 5_000; Date.now() < deadline; ) {
      const line = gateway.audit().find(fits)
      if (line !== undefined) return line
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    return undefined
  }

  using first = await associate('CT1')
  const came = await upstream.next()
  await came.has(request().length)
  came.socket.write(accept())
  await first.read({ until: /1\.2\.3$/ })
  t.match(await told('stream'), {
    ...{ who: { name: 'ct', realm: 'certificate' }, stream: 'dicom', calling: 'CT1', called: 'PACS' },
    address: '127.0.0.1',
  })

  await t.test('a reload changes titles for those who come, and leaves those who are in', async t => {
    await gateway.reload({ yaml: yamlOf('{ "CN=ct": [CT2] }') })
    using refused = await associate('CT1')
    t.equal(refusalIn((await refused.read({ until: /^[\s\S]{10}/ })).bytes), '3 1 1 3')
    using taken = await associate('CT2')
    const next = await upstream.next()
    await next.has(request().length)
    await first.write(Buffer.from('040000000001ff', 'hex'))
    t.equal((await came.has(request().length + 7)).length, request().length + 7)
    t.equal(taken.socket.destroyed, false)
  })
  await t.test('an authority that is taken out of the truststore takes its connections with it', async t => {
    const other = await startAuthority(t, 'Another Authority')
    writeFileSync(truststore, other.caPem)
    const before = Date.now()
    await gateway.reload()
    t.equal(await came.ended, 'reset', 'and the upstream half')
    t.match(await first.read(), { ended: /end|error/ })
    t.ok(Date.now() - before < 5_000)
    using refused = await open()
    t.match(await refused.read(), { ended: 'end' })
    t.match(await told('stream-denial', 'certificate-not-trusted'), { stream: 'dicom' })
  })
  await t.test('a stop closes it', async t => {
    await gateway.gateway.drain()
    await t.rejects(open())
  })
})
