/**
 * Authorities whose revocation lists are made by `openssl ca -gencrl`, for tests of ours that read them.
 */
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { pemOf } from '../fixture/odd-der.ts'

export const revocationLabTools = ['openssl']

export interface ListOptions {
  /** Serials, hexadecimal, with their reason. */
  readonly revoked?: Readonly<Record<string, string>>
  /** Absent: the list is not numbered. */
  readonly number?: number
  /** Days from now. Absent: an hour ago, and in a week. */
  readonly from?: number
  readonly until?: number
  /** Lines of a crl_extensions section, and further sections. */
  readonly extensions?: string
  readonly digest?: string
  readonly signatureOptions?: readonly string[]
}

export interface LabAuthority {
  readonly name: string
  readonly certificate: X509Certificate
  readonly certPem: string
  readonly keyPem: string
  issue(serial: string, extensions?: readonly string[]): X509Certificate
  /** An authority below this one. */
  below(name: string, serial: string): LabAuthority
  /** PEM. */
  list(options?: ListOptions): string
}

export interface RevocationLab {
  readonly dir: string
  /** @param keyOptions  as `openssl genpkey` takes them; absent: P-256 */
  authority(name: string, usage?: string, keyOptions?: readonly string[]): LabAuthority
  put(name: string, content: string | Uint8Array): string
}

const day = 86_400_000
const utcTime = (time: number) => `${new Date(time).toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`
const p256 = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']

export const derOf = (pem: string): Buffer => Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')
export const listPem = (der: Uint8Array): string => pemOf(der, 'X509 CRL')

/** Call requireReal(t, revocationLabTools) first. */
export function startRevocationLab(t: Pick<Test, 'teardown'>): RevocationLab {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-revocation-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  let made = 0

  function newAuthority(
    name: string,
    usage: string,
    keyOptions: readonly string[],
    above?: { home: string; serial: string },
  ) {
    made += 1
    const home = join(dir, String(made))
    mkdirSync(home)
    const file = (kind: string) => join(home, kind)
    const openssl = (...args: readonly string[]) => execFileSync('openssl', args, { cwd: home, stdio: 'pipe' })
    writeFileSync(file('empty.cnf'), '[req]\ndistinguished_name=dn\n[dn]\n')
    openssl('genpkey', ...keyOptions, '-out', 'ca.key')
    const certify = (out: string, subject: string, extensions: readonly string[], more: readonly string[]) =>
      openssl(
        ...['req', '-x509', '-config', 'empty.cnf', '-days', '30', '-subj', subject, '-out', out, ...more],
        ...extensions.flatMap(line => ['-addext', line]),
      )
    const authorityExtensions = [
      'basicConstraints=critical,CA:TRUE',
      ...(usage === '' ? [] : [`keyUsage=critical,${usage}`]),
    ]
    certify('ca.crt', `/O=Lab/CN=${name}`, authorityExtensions, [
      ...['-key', 'ca.key'],
      ...(above === undefined
        ? []
        : [
            '-CA',
            join(above.home, 'ca.crt'),
            '-CAkey',
            join(above.home, 'ca.key'),
            '-set_serial',
            `0x${above.serial}`,
          ]),
    ])
    const certPem = readFileSync(file('ca.crt'), 'utf8')

    const authority: LabAuthority = {
      name,
      certificate: new X509Certificate(certPem),
      certPem,
      keyPem: readFileSync(file('ca.key'), 'utf8'),
      issue(serial, extensions = ['basicConstraints=critical,CA:FALSE']) {
        const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'leaf.key']
        certify('leaf.crt', `/CN=holder ${serial}`, extensions, [
          ...key,
          ...['-CA', 'ca.crt', '-CAkey', 'ca.key', '-set_serial', serial.replace(/^-?/, '$&0x')],
        ])
        return new X509Certificate(readFileSync(file('leaf.crt')))
      },
      below: (below, serial) => newAuthority(below, 'keyCertSign,cRLSign', p256, { home, serial }),
      list({
        revoked = {},
        number,
        from = -1 / 24,
        until = 7,
        extensions,
        digest = 'sha256',
        signatureOptions = [],
      } = {}) {
        const lines = Object.entries(revoked).map(
          ([serial, reason]) => `R\t401231000000Z\t260102030405Z,${reason}\t${serial}\tunknown\t/CN=holder ${serial}\n`,
        )
        writeFileSync(file('index.txt'), lines.join(''))
        const numbered = number === undefined ? '' : `crlnumber=number\n`
        const extended = extensions === undefined ? '' : 'crl_extensions=ext\n'
        if (number !== undefined) writeFileSync(file('number'), `${number.toString(16).padStart(8, '0')}\n`)
        const own = 'database=index.txt\ncertificate=ca.crt\nprivate_key=ca.key\ndefault_crl_days=7\n'
        const text = `[ca]\ndefault_ca=own\n[own]\n${own}default_md=${digest}\n${numbered}${extended}[ext]\n${extensions ?? ''}\n`
        writeFileSync(file('ca.cnf'), text)
        openssl(
          ...['ca', '-gencrl', '-config', 'ca.cnf', '-out', 'list.pem', ...signatureOptions],
          ...[
            '-crl_lastupdate',
            utcTime(Date.now() + from * day),
            '-crl_nextupdate',
            utcTime(Date.now() + until * day),
          ],
        )
        return readFileSync(file('list.pem'), 'utf8')
      },
    }
    return authority
  }

  return {
    dir,
    authority: (name, usage = 'keyCertSign,cRLSign', keyOptions = p256) => newAuthority(name, usage, keyOptions),
    put(name, content) {
      const file = join(dir, name)
      writeFileSync(file, content)
      return file
    },
  }
}
