/**
 * `sallyport certs show`: what a certificate says of itself, with the fingerprints that people compare.
 *
 * It is the trusted channel for a pin: read here, on the machine that holds the file. It verifies nothing.
 */
import { existsSync, readFileSync } from 'node:fs'
import { acmeKeystoreFile } from '../acme/keystore-file.ts'
import type { AcmeKeystoreSection } from '../config/keystore.ts'
import { conversion } from '../issuer/bag-cipher.ts'
import { type CertificateFacts, describeCertificates } from '../issuer/describe.ts'
import { IssuerRefusal } from '../issuer/refusal.ts'
import { unreadable } from '../tls/keystore.ts'
import { configuredSecret } from './certs-authority.ts'
import { chainOf, chainText, daysLeft, factLines } from './certs-text.ts'
import { configFile, requireConfiguration, usualFile } from './configuration.ts'
import { askPassword, readPasswordFile } from './password-input.ts'
import { CommandEnd, type Report } from './report.ts'
import { quoted } from './shell-quote.ts'
import { shownPath } from './shown-path.ts'

export interface ShowArguments {
  config?: string | undefined
  file?: string | undefined
  listener?: string | undefined
  passwordFile?: string | undefined
}

interface Source {
  readonly file: string
  /** Absent: asked for where it is needed. */
  readonly password: string | undefined
}

export async function showCertificates(argv: ShowArguments, report: Report): Promise<void> {
  const shown = []
  // One after the other: each may ask for a password.
  for (const source of sourcesOf(argv, report)) shown.push(await show(source))
  const [first] = shown
  if (first === undefined) throw new Error('there was nothing to show, and nobody said so')
  report.result(
    shown.map(({ text, file }) => (shown.length === 1 ? text : `${shownPath(file)}\n${text}`)).join('\n\n'),
    argv.listener === undefined
      ? first.value
      : { ...first.value, listener: argv.listener, keystores: shown.map(({ value }) => value) },
  )
}

async function show(source: Source) {
  const { file } = source
  const all = await read(source)
  const chain = chainOf(all)
  const ordered = [...chain, ...all.filter(one => !chain.includes(one))]
  const head = (facts: CertificateFacts, at: number) =>
    `${all.length === 1 ? 'certificate' : `certificate ${at + 1} of ${all.length}`} ${facts.subject || '(no subject)'}`
  const lines = ordered.flatMap((facts, at) => [head(facts, at), ...factLines(facts)])
  return {
    file,
    text: [...lines, `chain      ${chainText(chain)}`].join('\n'),
    value: {
      file,
      certificates: ordered.map(facts => ({ ...facts, daysLeft: daysLeft(facts) })),
      chain: chain.map(({ subject }) => subject),
    },
  }
}

function sourcesOf({ config, file, listener, passwordFile }: ShowArguments, report: Report): Source[] {
  if ((file === undefined) === (listener === undefined)) {
    throw new CommandEnd(
      2,
      'name either a file or a listener',
      'sallyport certs show certs/server.pem, or sallyport certs show --listener web',
    )
  }
  const given = passwordFile === undefined ? undefined : readPasswordFile(passwordFile, report)
  if (file !== undefined) return [{ file, password: given }]

  const path = configFile(config)
  if (path === undefined)
    throw new CommandEnd(
      2,
      `there is no configuration: no ${usualFile}, and none was named`,
      'name one with --config FILE',
    )
  const { listeners, streams, state } = requireConfiguration(path, report).config
  const doors = { ...streams, ...listeners }
  const found = Object.entries(doors).find(([name]) => name === listener)?.[1]
  if (found === undefined)
    throw new CommandEnd(2, `no listener is called "${listener}"; known: ${Object.keys(doors).join(', ')}`)
  if (!('keystores' in found)) {
    throw new CommandEnd(
      2,
      `the listener "${listener}" has no certificate: it only sends people to "${found.redirect}"`,
      `sallyport certs show --listener ${found.redirect}`,
    )
  }
  return found.keystores.map(keystore => {
    if (keystore.kind === 'acme') return suppliedBy(keystore, state)
    const { certificate, password } = keystore
    return {
      file: certificate,
      password: given ?? (password === undefined ? undefined : configuredSecret(password, report)),
    }
  })
}

function suppliedBy(keystore: AcmeKeystoreSection, state: string): Source {
  const file = acmeKeystoreFile(keystore, state)
  if (existsSync(file)) return { file, password: undefined }
  throw new CommandEnd(
    1,
    `no certificate for ${keystore.names.join(', ')} has come from ${keystore.directory.host} yet`,
    'the gateway asks for it once it runs: sallyport serve',
  )
}

async function read({ file, password }: Source): Promise<CertificateFacts[]> {
  const content = contentOf(file)
  try {
    return await describeCertificates(content, password)
  } catch (cause) {
    if (!(cause instanceof IssuerRefusal)) throw cause
    if (cause.code === 'container-obsolete') throw obsolete(file, cause)
    if (cause.code !== 'container-password' || password !== undefined) throw named(file, cause)
  }
  const typed = await askPassword(`password of ${shownPath(file)}: `)
  try {
    return await describeCertificates(content, typed)
  } catch (cause) {
    throw cause instanceof IssuerRefusal ? named(file, cause) : cause
  }
}

/** The command with the names of this file in it, to be copied. */
function obsolete(file: string, cause: IssuerRefusal): CommandEnd {
  const shown = shownPath(file)
  const [what = ''] = cause.message.split('; convert it')
  return new CommandEnd(
    1,
    `${shown}: ${what}`,
    `convert it: ${conversion(quoted(shown), quoted(shown.replace(/(\.(p12|pfx))?$/i, '-new.p12')))}`,
  )
}

const named = (file: string, cause: IssuerRefusal) =>
  new IssuerRefusal(cause.code, `${shownPath(file)}: ${cause.message}`, { cause })

function contentOf(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new CommandEnd(2, unreadable(shownPath(file), cause), 'name a certificate as PEM or DER, or a PKCS#12 file')
  }
}
