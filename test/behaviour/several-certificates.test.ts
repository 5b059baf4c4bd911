// Several certificates on one listener, picked by the name that the client asks for; and no request under another name.
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { request } from 'node:https'
import { connect, type TLSSocket } from 'node:tls'
import t from 'tap'
import { startAuthority } from '../fixture/authority.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { reply } from '../fixture/upstream-answers.ts'

t.test('a listener with several certificates', async t => {
  const authority = await startAuthority(t)
  const upstream = await startUpstream(t, () => reply({ body: 'in' }))
  const pairs = {
    first: await authority.server(['localhost', 'first.example.org'], ['127.0.0.1']),
    pacs: await authority.server(['pacs.example.org']),
    any: await authority.server(['*.wild.example.org', 'extra.example.org'], ['127.0.0.2']),
  }
  const keystore = Object.values(pairs)
    .map(({ certFile, keyFile }) => `{ certificate: ${certFile}, key: ${keyFile} }`)
    .join(', ')
  const gateway = await startTestGateway(t, {
    authority,
    keystore: `[${keystore}]`,
    yaml: `
upstreams: { app: { kind: generic, url: "${upstream.url}" } }
routes: [{ path: /, upstream: app, access: everyone }]
`,
  })
  const shake = async (servername: string | undefined, more = {}): Promise<TLSSocket> => {
    const name = servername === undefined ? {} : { servername }
    const check = { ca: authority.caPem, checkServerIdentity: () => undefined }
    const socket = connect({ host: '127.0.0.1', port: gateway.port, ...check, ...name, ...more })
    t.teardown(() => socket.destroy())
    await once(socket, 'secureConnect')
    return socket
  }
  const shownTo = async (servername: string | undefined, more = {}) => {
    const serial = (await shake(servername, more)).getPeerX509Certificate()?.serialNumber
    return Object.entries(pairs).find(([, pair]) => pair.serial === serial)?.[0]
  }

  await t.test('shows the one that carries the name', async t => {
    for (const [name, expected] of [
      ['pacs.example.org', 'pacs'],
      ['PACS.Example.ORG', 'pacs'],
      ['a.wild.example.org', 'any'],
      ['A.WILD.example.org', 'any'],
      ['extra.example.org', 'any'],
      ['first.example.org', 'first'],
      ['a.b.wild.example.org', 'first'],
      ['wild.example.org', 'first'],
      ['nobody.example.org', 'first'],
      ['__proto__', 'first'],
      ['constructor', 'first'],
      [`${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`, 'first'],
      [undefined, 'first'],
    ] as const) {
      t.equal(await shownTo(name), expected, `${name} gets ${expected}`)
      t.equal(await shownTo(name, { maxVersion: 'TLSv1.2' }), expected, `${name} gets ${expected} over TLS 1.2`)
    }
  })

  await t.test('gives every name the same terms', async t => {
    for (const servername of ['pacs.example.org', 'nobody.example.org', undefined]) {
      const socket = await shake(servername, { maxVersion: 'TLSv1.2' })
      t.equal(
        socket.getSession()?.length !== 0 && socket.getTLSTicket() === undefined,
        true,
        `${servername}: no ticket`,
      )
      const old = connect({
        ...{ host: '127.0.0.1', port: gateway.port, ca: authority.caPem },
        ...{ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' },
        ...(servername === undefined ? {} : { servername }),
      })
      const [error] = await once(old, 'error')
      t.match(error, /alert protocol version|ECONNRESET/i, `${servername}: TLS 1.1 is refused`)
    }
  })

  /** What a request is answered with whose Host is one name and whose handshake was for another. */
  const ask = async (servername: string | undefined, host: string, protocol: 'HTTP/1.1' | 'HTTP/2') => {
    const tls = {
      ca: authority.caPem,
      checkServerIdentity: () => undefined,
      ...(servername === undefined ? { servername: '' } : { servername }),
    }
    if (protocol === 'HTTP/1.1') {
      const headers = { host: `${host}:${gateway.port}` }
      const sent = request({ ...tls, host: '127.0.0.1', port: gateway.port, agent: false, headers }).end()
      const [answer] = await once(sent, 'response')
      answer.resume()
      return answer.statusCode
    }
    const session = connectHttp2(`https://127.0.0.1:${gateway.port}`, tls)
    t.teardown(() => session.destroy())
    const stream = session.request({ ':path': '/', ':authority': `${host}:${gateway.port}` })
    const [head] = await once(stream, 'response')
    stream.resume()
    return head[':status']
  }

  await t.test('takes requests for the names of the certificate that was shown, and no others', async t => {
    for (const [servername, host, status] of [
      ['pacs.example.org', 'pacs.example.org', 200],
      ['PACS.example.org', 'pacs.EXAMPLE.org', 200],
      ['a.wild.example.org', 'b.wild.example.org', 200],
      ['a.wild.example.org', '127.0.0.2', 200],
      ['first.example.org', 'localhost', 200],
      ['nobody.example.org', 'localhost', 200],
      [undefined, 'localhost', 200],
      [undefined, 'nobody.example.org', 200],
      ['first.example.org', 'pacs.example.org', 421],
      ['pacs.example.org', 'localhost', 421],
      ['pacs.example.org', 'a.wild.example.org', 421],
      ['pacs.example.org', 'nobody.example.org', 421],
      ['nobody.example.org', 'pacs.example.org', 421],
      [undefined, 'pacs.example.org', 421],
      [undefined, '127.0.0.2', 421],
    ] as const) {
      for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
        const before = upstream.received.length
        t.equal(await ask(servername, host, protocol), status, `${servername} then ${host} over ${protocol}: ${status}`)
        t.equal(upstream.received.length - before, status === 200 ? 1 : 0)
      }
    }
  })
})
