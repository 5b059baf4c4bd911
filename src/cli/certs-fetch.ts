/**
 * `sallyport certs fetch`: what a remote server presents, with its fingerprints as the configuration wants them.
 *
 * Not to forget: nothing vouches for what is shown here. Whoever stands on the way to the server can show anything, so
 * the words say that it is unauthenticated, and where to compare it.
 */
import { describeCertificate } from '../issuer/describe.ts'
import { readable } from '../tls/certificate-path.ts'
import { examinePeer, type PeerExamination } from '../tls/connect-peer.ts'
import { handshakeWords } from '../tls/handshake-words.ts'
import { nobodyAsked } from '../tls/peer-trust.ts'
import { chainOf, chainText, daysLeft, factLines } from './certs-text.ts'
import { readHostPort } from './host-port.ts'
import { CommandEnd, type Report } from './report.ts'

export interface FetchArguments {
  server: string
  name?: string | undefined
}

const timeout = 10_000

export async function fetchCertificates({ server, name }: FetchArguments, report: Report): Promise<void> {
  const address = readHostPort(server)
  const seen = await examinePeer(address, nobodyAsked(name), { timeout }).catch(cause => {
    throw unreachable(server, cause)
  })
  const [first] = seen.chain
  const all = readable(() => seen.chain.map(({ raw }) => describeCertificate(raw)))
  if (all === undefined && first !== undefined) {
    throw new CommandEnd(
      1,
      `${server} shows a certificate that cannot be read in detail, sha256:${first.fingerprint256}`,
      'UNAUTHENTICATED: nobody vouches for it. OpenSSL may know more: openssl s_client -connect HOST:PORT -showcerts',
    )
  }
  const [leaf] = all ?? []
  if (all === undefined || leaf === undefined) throw new CommandEnd(1, `${server} showed no certificate`)
  const pins = [`sha256:${leaf.sha256}`, leaf.pin, `sha1:${leaf.sha1}`]
  const lines = [
    `UNAUTHENTICATED: what ${server} presents (${protocolText(seen)}). Nobody vouches for it.`,
    ...all.flatMap((facts, at) => [
      `${all.length === 1 ? 'certificate' : `certificate ${at + 1} of ${all.length}`} ${facts.subject || '(no subject)'}`,
      ...factLines(facts),
    ]),
    `chain      ${chainText(chainOf(all)).replace('(not in the file)', '(not sent)')}`,
    'Compare a fingerprint with what the server says of itself: "sallyport certs show" there, or "api fingerprint" on a',
    'Check Point server. If it is the same, one of these goes under tls: into the configuration:',
    `  pins: ["${pins[0]}"]`,
    `  pins: ["${pins[1]}"]   # stays the same when it is renewed for the same key`,
  ]
  report.result(lines.join('\n'), {
    server,
    authenticated: false,
    protocol: seen.protocol,
    cipher: seen.cipher,
    certificates: all.map(facts => ({ ...facts, daysLeft: daysLeft(facts) })),
    chain: all.map(({ subject }) => subject),
    pins,
  })
}

export const protocolText = ({ protocol, cipher }: Pick<PeerExamination, 'protocol' | 'cipher'>) =>
  `${protocol}, ${cipher}`

/** A connection that did not come about, as an end with its reason. */
export function unreachable(server: string, cause: unknown): CommandEnd {
  if (cause instanceof CommandEnd) return cause
  const why = handshakeWords(cause) ?? (cause instanceof Error ? cause.message.trim() : String(cause))
  const code = cause instanceof Error && 'code' in cause ? ` (${cause.code})` : ''
  return new CommandEnd(1, `no TLS connection to ${server}: ${why}${code}`)
}
