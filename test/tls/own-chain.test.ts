// What we send behind our certificate leads upwards step by step, or `check` says where it does not.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { pemCertificates, readKeystore } from '../../src/tls/keystore.ts'
import { oddCertificateTools, startOddCertificates } from '../fixture/odd-certificates.ts'
import { requireReal } from '../fixture/real.ts'

t.test('a chain of our own', async t => {
  if (!requireReal(t, oddCertificateTools)) return
  const odd = await startOddCertificates(t)
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-chain-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const { chainPem, keyPem } = odd.get('chain-of-4')
  const [leaf = '', innermost = '', inner = ''] = pemCertificates(chainPem)
  const root = odd.caPem
  const stranger = odd.otherCaPem
  const said = (...certificates: string[]) => {
    const file = join(dir, 'server.pem')
    writeFileSync(file, [...certificates, keyPem].join('\n'), { mode: 0o600 })
    const messages: string[] = []
    const keystore = readKeystore({ certificate: file }, Date.now(), (_key, message, severity) => {
      messages.push(`${severity ?? 'error'}: ${message}`)
    })
    // Certificates of the fixture live for two days: that is told too, and not what is asked here.
    return { keystore, chain: messages.filter(message => /of the one before it/.test(message)) }
  }
  for (const [title, certificates, message] of [
    ['whole', [leaf, innermost, inner, root], undefined],
    ['without its root', [leaf, innermost, inner], undefined],
    ['of one certificate', [leaf], undefined],
    [
      'out of order',
      [leaf, inner, innermost],
      /warning: certificate 2 of this file \(CN=Inner Authority\) is out of order/,
    ],
    ['with a gap', [leaf, inner, root], /certificate 2 .* is not the issuer/],
    ['with a stranger behind it', [leaf, innermost, stranger], /certificate 3 of this file .*Other Authority\) is not/],
  ] as const) {
    const { keystore, chain } = said(...certificates)
    t.equal(keystore?.chain.length, certificates.length - 1, `${title}: all of it is sent`)
    if (message === undefined) t.same(chain, [], `${title}: nothing is said`)
    else t.match(chain, [message], `${title}: ${chain[0]}`)
  }
})
