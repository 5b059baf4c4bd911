/**
 * `sallyport certs omero`: the files that an OMERO.server speaks TLS with, and the settings that name them.
 *
 * As `omero certificates` does, it keeps the key that is there and issues the certificate anew at every run; other than
 * that one it puts the names into the certificate that clients check, and signs it with the authority. Stdout is fit for
 * a shell: comments, and six commands. Not to forget: a password that came from a file is never printed, only the path.
 *
 * Source: OMERO sysadmin documentation, "TLS"; omero-certificates (the names of the files); Ice manual, IceSSL.*.
 */
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { type CertificateFacts, describeCertificates } from '../issuer/describe.ts'
import { type KeyKind, type KeyPair, keyPairFrom, privateKeyPem } from '../issuer/keys.ts'
import { issueServer, longestServerDays } from '../issuer/leaf.ts'
import { publicMode, secretMode, writeNewFile } from '../issuer/new-file.ts'
import { encodePkcs12, type Pkcs12Format } from '../issuer/pkcs12.ts'
import { IssuerRefusal } from '../issuer/refusal.ts'
import { writeFileAtomically } from '../kernel/atomic-file.ts'
import { authorityPlace, openPlace, openPlaceLedger } from './certs-authority.ts'
import { containerTerms } from './certs-files.ts'
import { omeroCommands, omeroSettings } from './certs-omero-settings.ts'
import { plain, validText } from './certs-text.ts'
import { CommandEnd, type Report } from './report.ts'
import { shownPath } from './shown-path.ts'

export interface OmeroArguments {
  config?: string | undefined
  authority?: string | undefined
  authorityPasswordFile?: string | undefined
  dir: string
  name: string[]
  ip: string[]
  days?: number | undefined
  key?: KeyKind | undefined
  format: Pkcs12Format
  passwordFile?: string | undefined
  force: boolean
}

/** What OMERO makes itself, and what every client of it has met. */
const usualKey: KeyKind = 'rsa-2048'

export async function makeOmeroFiles(argv: OmeroArguments, report: Report): Promise<void> {
  if (Number.isNaN(argv.days)) throw new CommandEnd(2, '--days wants a number', 'for example --days 365')
  const dir = resolve(argv.dir)
  const files = {
    certificate: join(dir, 'server.pem'),
    key: join(dir, 'server.key'),
    pkcs12: join(dir, 'server.p12'),
    authority: join(dir, 'cacert.pem'),
  }
  refuseOthers(files, argv.force)
  const kept = keptKey(files.key, argv.key, report)
  const place = authorityPlace(argv.authority, argv.config, report)
  const authority = await openPlace(place, argv.authorityPasswordFile, report)
  const terms = containerTerms(argv.format, argv.passwordFile, report)
  const days = argv.days ?? (place.days === undefined ? undefined : Math.min(place.days, longestServerDays))
  using ledger = await openPlaceLedger(place, report)
  const issued = await issueServer(authority, ledger, {
    ...namesOf(argv),
    key: kept ?? argv.key ?? usualKey,
    ...(days === undefined ? {} : { days }),
  })
  const { keyPem, chainPem } = issued
  const pkcs12 = await encodePkcs12({
    keyPem,
    chainPem,
    friendlyName: 'server',
    password: terms.password,
    format: terms.format,
  })

  mkdirSync(dir, { recursive: true, mode: 0o700 })
  if (kept === undefined) writeNewFile(files.key, keyPem, secretMode)
  writeFileAtomically(files.certificate, chainPem, publicMode)
  writeFileAtomically(files.pkcs12, pkcs12, secretMode)
  writeFileAtomically(files.authority, authority.certificatePem, publicMode)

  const [facts] = await describeCertificates(Buffer.from(chainPem))
  if (facts === undefined) throw new Error('what was just made holds no certificate')
  const password = terms.made ? terms.password : undefined
  const settings = omeroSettings(dir)
  report.result(
    [...comments(facts, files, kept !== undefined), ...omeroCommands(settings, password, argv.passwordFile)].join('\n'),
    {
      kind: 'server',
      subject: facts.subject,
      issuer: facts.issuer,
      serial: facts.serial,
      dns: facts.dns,
      addresses: facts.addresses,
      notBefore: facts.notBefore,
      notAfter: facts.notAfter,
      sha1: facts.sha1,
      sha256: facts.sha256,
      pin: facts.pin,
      files,
      keyKept: kept !== undefined,
      format: terms.format,
      settings,
      ...(password === undefined ? {} : { password }),
    },
  )
  advise(files.authority, facts, terms.made, report)
}

/** In a folder that this command has not filled before, nothing is written over unasked. @throws CommandEnd 1 */
function refuseOthers(files: { certificate: string; pkcs12: string; authority: string }, force: boolean): void {
  if (force || existsSync(files.authority)) return
  const there = [files.certificate, files.pkcs12].filter(file => existsSync(file))
  if (there.length === 0) return
  throw new CommandEnd(
    1,
    `${there.map(shownPath).join(' and ')} ${there.length === 1 ? 'is' : 'are'} there and not from this command; nothing was issued`,
    '--dir DIR puts the files elsewhere; --force replaces them and keeps server.key, which is right for what "omero certificates" made',
  )
}

/** @throws CommandEnd, IssuerRefusal */
function keptKey(file: string, wished: KeyKind | undefined, report: Report): KeyPair | undefined {
  if (!existsSync(file)) return undefined
  const shown = shownPath(file)
  if (wished !== undefined)
    throw new CommandEnd(
      2,
      `${shown} is there and is kept, so --key ${wished} would do nothing`,
      'leave --key out, or move the key away',
    )
  const mode = statSync(file).mode & 0o777
  if ((mode & 0o077) !== 0)
    report.warn(`others may read ${shown} (mode ${mode.toString(8).padStart(4, '0')}); chmod 600 ${shown}`)
  try {
    const pair = keyPairFrom(readFileSync(file, 'utf8'))
    // Proven here, so that a key which cannot be written into the PKCS#12 file is told before anything is issued.
    privateKeyPem(pair.privateKey)
    return pair
  } catch (cause) {
    if (cause instanceof IssuerRefusal) throw new IssuerRefusal(cause.code, `${shown}: ${cause.message}`, { cause })
    throw cause
  }
}

/** Without a name: this machine, under the names that its users may type. */
function namesOf({ name, ip }: Pick<OmeroArguments, 'name' | 'ip'>) {
  if (name.length + ip.length > 0) return { names: name, ips: ip }
  const own = [hostname().toLowerCase(), 'localhost'].filter(one => /^[a-z0-9.-]+$/.test(one))
  return { names: [...new Set(own)], ips: ['127.0.0.1', '::1'] }
}

function comments(
  facts: CertificateFacts,
  files: { certificate: string; key: string; pkcs12: string; authority: string },
  kept: boolean,
): string[] {
  return [
    `server certificate ${facts.subject} for ${[...facts.dns, ...facts.addresses].map(plain).join(', ')}`,
    `  ${shownPath(files.pkcs12)}  key and chain, what OMERO.server loads`,
    `  ${shownPath(files.certificate)}  the chain`,
    `  ${shownPath(files.key)}  the key${kept ? ', the one that was there' : ''}`,
    `  ${shownPath(files.authority)}  the authority: give it to clients`,
    `  valid   ${validText(facts)}`,
    `  serial  ${facts.serial}`,
    `  SHA-256 ${facts.sha256}`,
  ].map(line => `# ${line}`)
}

function advise(authority: string, facts: CertificateFacts, made: boolean, report: Report): void {
  const host = [...facts.dns, ...facts.addresses][0] ?? 'HOST'
  const notes = [
    'run these as the account of OMERO.server, which must be able to read the folder; then: omero admin restart',
    'they replace what is set: look first with "omero config get". Were the files copied to another machine, name their folder there in the first line',
    '"omero certificates" sets only what is empty, but makes server.p12 and cacert.pem anew at every run, self-signed: do not run it for this folder any more',
    'on macOS also: omero config set omero.glacier2.IceSSL.ProtocolVersionMax TLS1_3',
    `clients then check it with IceSSL.VerifyPeer=1, IceSSL.CAs=${shownPath(authority)}, IceSSL.CheckCertName=1 and the host ${plain(host)}`,
  ]
  if (made) notes.unshift('the password is shown only now, and made anew at every run')
  for (const note of notes) report.note(note)
}
