/**
 * An ACME authority that misbehaves: it believes every signature, and answers as the test says.
 *
 * What is not changed answers as RFC 8555 wants, and certifies what the request asks for.
 */
import 'reflect-metadata'

import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from '@peculiar/x509'
import type { Test } from 'tap'
import { generateKeys } from '../../src/issuer/keys.ts'
import { leafExtensions, sign } from '../../src/issuer/sign.ts'
import { startAuthority } from '../fixture/authority.ts'

export interface Said {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

export type Step =
  | 'directory'
  | 'nonce'
  | 'account'
  | 'order'
  | 'authorization'
  | 'challenge'
  | 'state'
  | 'finalize'
  | 'certificate'

/** How the next certificates differ from what was asked for. */
export interface Certified {
  names?: (requested: readonly string[]) => readonly string[]
  /** Milliseconds from now; five seconds ago when absent. */
  notBefore?: number
  /** Milliseconds from now; ten minutes when absent. */
  notAfter?: number
  /** Not for the key of the request. */
  otherKey?: boolean
}

export interface OddAuthority {
  readonly directory: URL
  readonly ca: readonly string[]
  /** The steps that were asked for, in order. */
  readonly steps: Step[]
  /** Answers of a step from now on; `usual` is what would have been said. 'silence': no answer at all. */
  readonly odd: Partial<Record<Step, (usual: Said) => Said | 'silence'>>
  readonly certified: Certified
}

export async function startOddAuthority(t: Pick<Test, 'teardown'>): Promise<OddAuthority> {
  const authority = await startAuthority(t, 'Odd Authority')
  const { chainPem, keyPem } = await authority.server(['localhost'], ['127.0.0.1'])
  const steps: Step[] = []
  const odd: OddAuthority['odd'] = {}
  const certified: Certified = {}
  let issued: string | undefined

  const certify = async (csr: string): Promise<string> => {
    const { names = requested => requested, notBefore = -5_000, notAfter = 600_000, otherKey = false } = certified
    const request = new Pkcs10CertificateRequest(Buffer.from(csr, 'base64url'))
    const wanted = request.getExtension('2.5.29.17')
    const requested = wanted === null ? [] : new SubjectAlternativeNameExtension(wanted.rawData).names.toJSON()
    const { publicKey } = otherKey ? await generateKeys('ec-p256') : { publicKey: await request.publicKey.export() }
    const extensions = leafExtensions({
      serverAuth: true,
      clientAuth: false,
      keyEncipherment: false,
      names: names(requested.map(({ value }) => String(value))).map(value => ({ type: 'dns', value })),
    })
    const validity = { notBefore: new Date(Date.now() + notBefore), notAfter: new Date(Date.now() + notAfter) }
    const leaf = await sign({ commonName: 'odd', publicKey, extensions, ...validity }, authority.authority)
    return `${leaf.toString('pem')}\n${authority.caPem}`
  }

  const server: Server = createServer({ cert: chainPem, key: keyPem }, (request, response) => {
    void (async () => {
      const [path = ''] = (request.url ?? '').slice(1).split('?')
      // Every path is the name of its step, asked for by our own client.
      const step = path as Step
      steps.push(step)
      const sent = await text(request)
      const payload = sent === '' ? '' : Buffer.from(JSON.parse(sent).payload, 'base64url').toString()
      if (step === 'order') issued = undefined
      if (step === 'finalize') issued = await certify(JSON.parse(payload).csr)
      const usual = usualAnswers(url('').replace(/\/$/, ''), issued)[step]
      const said = odd[step]?.(usual) ?? usual
      if (said === 'silence') return
      const { status = 200, headers = {}, body = {} } = said
      response.writeHead(status, {
        ...(request.method !== 'GET' && { 'replay-nonce': `n${steps.length}` }),
        ...headers,
      })
      response.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body))
    })()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // A bound TCP server has an AddressInfo; string and null are for pipes and unbound ones.
  const { port } = server.address() as AddressInfo
  const url = (step: string) => `https://127.0.0.1:${port}/${step}`
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { directory: new URL(url('directory')), ca: [authority.caPem], steps, odd, certified }
}

const usualAnswers = (at: string, issued: string | undefined): Record<Step, Said> => {
  const order = {
    status: issued === undefined ? 'ready' : 'valid',
    authorizations: [`${at}/authorization`],
    finalize: `${at}/finalize`,
    certificate: `${at}/certificate`,
  }
  const challenge = { type: 'http-01', url: `${at}/challenge`, status: 'pending', token: 'x'.repeat(43) }
  return {
    directory: { body: { newNonce: `${at}/nonce`, newAccount: `${at}/account`, newOrder: `${at}/order` } },
    nonce: {},
    account: { headers: { location: `${at}/account` }, body: { status: 'valid' } },
    order: { status: 201, headers: { location: `${at}/state` }, body: { ...order, status: 'pending' } },
    authorization: { body: { status: 'valid', identifier: { value: 'pacs.example.org' }, challenges: [challenge] } },
    challenge: { body: challenge },
    state: { body: order },
    finalize: { body: order },
    certificate: { body: issued ?? '' },
  }
}
