/**
 * `sallyport certs show`: what a certificate says of itself, with the fingerprints that people compare.
 *
 * It is the trusted channel for a pin: read here, on the machine that holds the file. It verifies nothing.
 */
import { readFileSync } from 'node:fs'
import { type CertificateFacts, describeCertificates } from '../issuer/describe.ts'
import { IssuerRefusal } from '../issuer/refusal.ts'
import { unreadable } from '../tls/keystore.ts'
import { configuredSecret } from './certs-authority.ts'
import { chainOf, chainText, daysLeft, factLines } from './certs-text.ts'
import { configFile, requireConfiguration, usualFile } from './configuration.ts'
import { askPassword, readPasswordFile } from './password-input.ts'
import { CommandEnd, type Report } from './report.ts'
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
  const source = sourceOf(argv, report)
  const all = await read(source)
  const chain = chainOf(all)
  const ordered = [...chain, ...all.filter(one => !chain.includes(one))]
  const head = (facts: CertificateFacts, at: number) =>
    `${all.length === 1 ? 'certificate' : `certificate ${at + 1} of ${all.length}`} ${facts.subject || '(no subject)'}`
  report.result(
    [...ordered.flatMap((facts, at) => [head(facts, at), ...factLines(facts)]), `chain      ${chainText(chain)}`].join(
      '\n',
    ),
    {
      file: source.file,
      ...(argv.listener === undefined ? {} : { listener: argv.listener }),
      certificates: ordered.map(facts => ({ ...facts, daysLeft: daysLeft(facts) })),
      chain: chain.map(({ subject }) => subject),
    },
  )
}

function sourceOf({ config, file, listener, passwordFile }: ShowArguments, report: Report): Source {
  if ((file === undefined) === (listener === undefined)) {
    throw new CommandEnd(
      2,
      'name either a file or a listener',
      'sallyport certs show certs/server.pem, or sallyport certs show --listener web',
    )
  }
  const given = passwordFile === undefined ? undefined : readPasswordFile(passwordFile, report)
  if (file !== undefined) return { file, password: given }

  const path = configFile(config)
  if (path === undefined)
    throw new CommandEnd(
      2,
      `there is no configuration: no ${usualFile}, and none was named`,
      'name one with --config FILE',
    )
  const { listeners } = requireConfiguration(path, report).config
  const found = Object.entries(listeners).find(([name]) => name === listener)?.[1]
  if (found === undefined)
    throw new CommandEnd(2, `no listener is called "${listener}"; known: ${Object.keys(listeners).join(', ')}`)
  if (found.kind === 'plain') {
    throw new CommandEnd(
      2,
      `the listener "${listener}" has no certificate: it only sends people to "${found.redirect}"`,
      `sallyport certs show --listener ${found.redirect}`,
    )
  }
  const { certificate, password } = found.keystore
  return {
    file: certificate,
    password: given ?? (password === undefined ? undefined : configuredSecret(password, report)),
  }
}

async function read({ file, password }: Source): Promise<CertificateFacts[]> {
  const content = contentOf(file)
  try {
    return await describeCertificates(content, password)
  } catch (cause) {
    if (!(cause instanceof IssuerRefusal)) throw cause
    if (cause.code !== 'container-password' || password !== undefined) throw named(file, cause)
  }
  const typed = await askPassword(`password of ${shownPath(file)}: `)
  try {
    return await describeCertificates(content, typed)
  } catch (cause) {
    throw cause instanceof IssuerRefusal ? named(file, cause) : cause
  }
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
