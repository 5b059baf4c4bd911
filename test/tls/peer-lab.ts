/**
 * Servers and certificates for tests of how we judge a server: made by openssl, so that they can be odd.
 *
 * The servers are node:tls, in process, and keep every byte that they are sent.
 */
import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type SecureContextOptions, type TlsOptions } from 'node:tls'
import type { Test } from 'tap'

export interface Pair {
  readonly cert: string
  readonly key: string
  readonly certFile: string
  readonly keyFile: string
}

export interface Wish {
  /** As `openssl req -subj` takes it. */
  readonly subject?: string
  readonly extensions?: readonly string[]
  /** Absent: it signs itself. */
  readonly by?: Pair
  readonly algorithm?: readonly string[]
}

export interface PeerLab {
  readonly dir: string
  make(wish: Wish): Pair
  /** A file with this text in it. */
  put(name: string, ...parts: readonly string[]): string
}

const authority = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign']
export const authorityWish = (subject: string, by?: Pair): Wish => ({
  subject,
  extensions: authority,
  ...(by && { by }),
})

export const labTools = ['openssl']

/** Call requireReal(t, labTools) first. */
export function startPeerLab(t: Pick<Test, 'teardown'>): PeerLab {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-peer-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const conf = join(dir, 'conf')
  writeFileSync(conf, '[req]\ndistinguished_name=dn\n[dn]\n')
  let made = 0
  return {
    dir,
    make({
      subject = '/CN=localhost',
      extensions = [],
      by,
      algorithm = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
    }) {
      const stem = join(dir, `pair-${++made}`)
      const [certFile, keyFile] = [`${stem}.crt`, `${stem}.key`]
      const words = ['req', '-x509', '-config', conf, '-newkey', ...algorithm, '-nodes', '-days', '2', '-utf8']
      const issuer = by === undefined ? [] : ['-CA', by.certFile, '-CAkey', by.keyFile]
      const lines = extensions.flatMap(line => ['-addext', line])
      execFileSync('openssl', [...words, '-subj', subject, '-keyout', keyFile, '-out', certFile, ...issuer, ...lines], {
        stdio: 'pipe',
      })
      return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
    },
    put(name, ...parts) {
      writeFileSync(join(dir, name), parts.join(''))
      return join(dir, name)
    },
  }
}

export interface TlsPeer {
  readonly port: number
  readonly connections: number
  /** All bytes of all connections. */
  readonly received: string
  /** Shows another certificate from the next connection on. */
  show(pair: SecureContextOptions): void
}

/** Answers each connection's first bytes with `HTTP/1.1 200`, and closes. */
export async function startTlsPeer(t: Pick<Test, 'teardown'>, options: TlsOptions): Promise<TlsPeer> {
  let received = ''
  let connections = 0
  const server = createServer(options, socket => {
    connections++
    socket.on('error', () => undefined)
    socket.on('data', bytes => {
      received += bytes.toString('latin1')
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')
    })
  })
  server.on('tlsClientError', () => undefined)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise(resolve => server.close(resolve)))
  const address = server.address()
  return {
    port: address === null || typeof address === 'string' ? 0 : address.port,
    get connections() {
      return connections
    },
    get received() {
      return received
    },
    show: pair => server.setSecureContext({ ...options, ...pair }),
  }
}

const seen = (pem: string) => new X509Certificate(pem)
/** As Check Point shows it: upper case, colons. */
export const sha1Of = (pem: string) => seen(pem).fingerprint
export const sha256Of = (pem: string) => seen(pem).fingerprint256
/** base64 */
export const spkiOf = (pem: string) =>
  createHash('sha256')
    .update(seen(pem).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64')
