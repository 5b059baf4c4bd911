/**
 * `sallyport certs verify`: calls any TLS server as the gateway would call an upstream, and tells each check's outcome.
 *
 * Its options are the keys of `tls` under an upstream, and go through the same schema: what is refused there is refused
 * here. Source: IceSSL properties of OMERO clients (VerifyPeer, CAs, UsePlatformCAs, CheckCertName, VerifyDepthMax,
 * TrustOnly, Protocols).
 */
import { resolve } from 'node:path'
import { peerTrustSection } from '../config/peer-trust.ts'
import { type ProtocolVersion, protocolRange, readProtocol } from '../config/protocol.ts'
import { fileScalars } from '../config/scalars.ts'
import { Secret } from '../kernel/secret.ts'
import { examinePeer, fetchCommand, type PeerExamination } from '../tls/connect-peer.ts'
import { handshakeWords } from '../tls/handshake-words.ts'
import { type PeerTerms, type PeerTrust, readPeerTrust } from '../tls/peer-trust.ts'
import { peerProblem, subjectText } from '../tls/peer-verdict.ts'
import { unreachable } from './certs-fetch.ts'
import { readHostPort } from './host-port.ts'
import { readPasswordFile } from './password-input.ts'
import { CommandEnd, type Report } from './report.ts'
import { shownPath } from './shown-path.ts'

export interface VerifyArguments {
  server: string
  ca?: string | undefined
  platformCas?: boolean | undefined
  pin?: readonly string[] | undefined
  only?: string | undefined
  /** false: --no-name */
  name?: string | false | undefined
  depth?: number | undefined
  protocols?: string | undefined
  certificate?: string | undefined
  key?: string | undefined
  passwordFile?: string | undefined
}

const timeout = 10_000

/** The option that stands for a key of the configuration. */
const options: Readonly<Record<string, string>> = {
  platformCas: 'platform-cas',
  pins: 'pin',
  password: 'password-file',
  checkName: 'no-name',
}
const optionOf = (key: string) => `--${options[key] ?? key}`

export async function verifyServer(argv: VerifyArguments, report: Report): Promise<void> {
  const address = readHostPort(argv.server)
  const trust = trustOf(argv, report)
  const seen = await examinePeer(address, trust, { timeout }).catch(cause => {
    throw unreachable(argv.server, cause)
  })
  const problem = peerProblem(seen)
  const reason = problem?.message ?? (seen.turnedAway && turnedAwayText(seen.turnedAway))
  const chain = seen.chain.map(subjectText)
  report.result(text(argv.server, seen, chain), {
    server: argv.server,
    ok: reason === undefined,
    ...(reason === undefined ? {} : { reason }),
    protocol: seen.protocol,
    cipher: seen.cipher,
    chain,
    checks: seen.outcomes,
    warnings: seen.warnings,
  })
  for (const warning of seen.warnings) report.warn(`${argv.server}: ${warning}`)
  if (reason !== undefined)
    report.fail(1, `${argv.server}: ${reason}`, problem && `see what it presents: ${fetchCommand(address)}`)
}

const turnedAwayText = (cause: Error) => handshakeWords(cause) ?? `the server turned us away: ${cause.message.trim()}`

function text(server: string, seen: PeerExamination, chain: readonly string[]): string {
  return [
    `server    ${server}`,
    `protocol  ${seen.protocol}`,
    `cipher    ${seen.cipher}`,
    `presents  ${chain.join(' <- ')}`,
    ...seen.outcomes.map(({ check, outcome, detail }) => `${check.padEnd(9)} ${outcome.padEnd(6)} ${detail}`),
    ...(seen.turnedAway === undefined ? [] : [`client    failed ${turnedAwayText(seen.turnedAway)}`]),
  ].join('\n')
}

/** @throws CommandEnd 2 */
function trustOf(argv: VerifyArguments, report: Report): PeerTrust {
  const { ca, platformCas, pin = [], only, name, depth, certificate, key, passwordFile } = argv
  const terms = termsOf(argv.protocols)
  const given = {
    ca,
    platformCas,
    pins: pin.length === 0 ? undefined : pin,
    only,
    name: name === false ? undefined : name,
    checkName: name === false ? false : undefined,
    depth,
    certificate,
    key,
    password: passwordFile === undefined ? undefined : { file: passwordFile },
  }
  const written = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const section = peerTrustSection(fileScalars(path => resolve(path))).safeParse(written)
  if (!section.success) {
    const [issue] = section.error.issues
    throw new CommandEnd(2, `${optionOf(String(issue?.path[0] ?? ''))}: ${issue?.message ?? 'is wrong'}`)
  }
  const password = passwordFile === undefined ? undefined : new Secret(readPasswordFile(passwordFile, report))
  const wrong: string[] = []
  const trust = readPeerTrust(
    section.data,
    password,
    Date.now(),
    (at, message, severity) => {
      const said = `${optionOf(at)}: ${message.replaceAll(`${process.cwd()}/`, '')}`
      if (severity === 'warning') report.warn(said)
      else wrong.push(said)
    },
    terms,
  )
  if (trust === undefined) throw new CommandEnd(2, wrong.join('; '))
  const { authorities } = trust
  // A file is shown as it was named.
  return authorities === undefined
    ? trust
    : { ...trust, authorities: { ...authorities, place: shownPath(authorities.place) } }
}

function termsOf(written: string | undefined): PeerTerms | undefined {
  if (written === undefined) return undefined
  const versions: ProtocolVersion[] = []
  for (const one of written.split(/[,;\s]+/).filter(part => part !== '')) {
    const version = readProtocol(one)
    if (typeof version !== 'string') throw new CommandEnd(2, `--protocols: ${version.mistake}`)
    versions.push(version)
  }
  const range = protocolRange({ protocols: versions })
  if ('mistake' in range) throw new CommandEnd(2, `--protocols: ${range.mistake}`)
  const { minimum, maximum } = range
  return {
    minVersion: minimum,
    maxVersion: maximum,
    // OpenSSL 3 speaks nothing older than TLS 1.2 otherwise; anonymous ciphers would prove nobody.
    ...(minimum < 'TLSv1.2' ? { ciphers: 'DEFAULT:!aNULL:!eNULL:@SECLEVEL=0' } : {}),
  }
}
