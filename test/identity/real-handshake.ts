/**
 * Real TLS handshakes for tests of identity: a server with the terms of a listener, and certificates of any shape.
 *
 * The odd certificates are made by the openssl command, so that the library that reads them is not the one that
 * wrote them.
 */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect, createServer, type TLSSocket } from 'node:tls'
import type { Test } from 'tap'
import { Terms } from '../../src/config/terms.ts'
import { authorityFiles } from '../../src/issuer/authority.ts'
import { readKeystore } from '../../src/tls/keystore.ts'
import { keepChains } from '../../src/tls/presented.ts'
import { effectiveTerms } from '../../src/tls/protocol-floor.ts'
import { serverTlsOptions, serverTrust } from '../../src/tls/server-context.ts'
import { readTruststore, type Truststore } from '../../src/tls/truststore.ts'
import type { TestAuthority } from '../fixture/authority.ts'

export interface Pair {
  readonly cert: string
  readonly key: string
}

export interface Wish {
  /** As openssl has it: `/CN=alice/O=x`. */
  readonly subject: string
  /** `name=value`, as in `-addext`. */
  readonly extensions?: readonly string[]
  /** Absent: signed by the authority of the test; null: by itself. */
  readonly by?: Pair | null
}

export interface Door {
  readonly truststore: Truststore
  /** The server's end of a handshake. */
  meet(client?: Partial<Pair>, more?: ConnectionOptions): Promise<{ peer: TLSSocket; session: Buffer | undefined }>
}

/** @returns a maker of certificates; each call runs openssl once */
export function certificateMaker(t: Pick<Test, 'teardown'>, authority: TestAuthority): (wish: Wish) => Pair {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-odd-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  writeFileSync(join(dir, 'empty.cnf'), '[req]\ndistinguished_name=dn\n[dn]\n')
  const own = authorityFiles(authority.authority.dir)
  return ({ subject, extensions = [], by }) => {
    const files = by === undefined ? [own.certificate, own.key] : ['by.crt', 'by.key']
    if (by)
      for (const [name, pem] of Object.entries({ 'by.crt': by.cert, 'by.key': by.key }))
        writeFileSync(join(dir, name), pem)
    const signer = by === null ? [] : ['-CA', files[0] ?? '', '-CAkey', files[1] ?? '']
    execFileSync(
      'openssl',
      [
        ...[
          'req',
          '-x509',
          '-config',
          'empty.cnf',
          '-utf8',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
          '-nodes',
        ],
        ...['-days', '2', '-subj', subject, '-keyout', 'made.key', '-out', 'made.crt', ...signer],
        ...extensions.flatMap(line => ['-addext', line]),
      ],
      { cwd: dir, stdio: 'pipe' },
    )
    return { cert: readFileSync(join(dir, 'made.crt'), 'utf8'), key: readFileSync(join(dir, 'made.key'), 'utf8') }
  }
}

/** @param trusted  PEM certificates of the truststore */
export async function startDoor(t: Test, authority: TestAuthority, trusted: readonly string[]): Promise<Door> {
  const fail = (key: string, message: string, severity?: 'warning') => {
    if (severity === undefined) t.fail(`${key}: ${message}`)
  }
  const file = join(mkdtempSync(join(tmpdir(), 'sallyport-door-')), 'trusted.pem')
  writeFileSync(file, trusted.join('\n'))
  const { certFile, keyFile } = await authority.server(['localhost'])
  const keystore = readKeystore({ certificate: certFile, key: keyFile }, Date.now(), fail)
  const terms = effectiveTerms(Terms.parse({}), fail)
  const truststore = readTruststore(file, Date.now(), fail)
  if (keystore === undefined || terms === undefined || truststore === undefined)
    throw new Error('the door did not open')
  const sockets = new Set<TLSSocket>()
  const server = createServer(
    serverTlsOptions(
      serverTrust({ terms, keystores: [keystore], clients: 'optional', truststore, depth: 0, only: undefined }),
    ),
    socket => {
      socket.on('error', () => undefined)
      sockets.add(socket)
      socket.write('hello')
    },
  )
  keepChains(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
    rmSync(join(file, '..'), { recursive: true, force: true })
  })
  const { port } = server.address() as AddressInfo // listening on TCP: always an AddressInfo
  return {
    truststore,
    async meet(client = {}, more = {}) {
      const arrived = once(server, 'secureConnection')
      const socket = connect({
        port,
        host: '127.0.0.1',
        servername: 'localhost',
        ca: authority.caPem,
        ...client,
        ...more,
      })
      t.teardown(() => socket.destroy())
      let session: Buffer | undefined
      socket.on('session', ticket => {
        session = ticket
      })
      const [peer] = await arrived
      await once(socket, 'data')
      return { peer, session: session ?? socket.getSession() }
    },
  }
}
