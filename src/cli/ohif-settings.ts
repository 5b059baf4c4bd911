/**
 * Reads the environment as the OHIF image reads it: which port, which certificate, which settings for the viewer.
 *
 * Pure, and asks no disk. Not to forget: a variable of the image that is not honoured here is refused by name; whoever
 * moves a container must never wonder why a setting does nothing.
 * Source: OHIF, .docker/Viewer-v3.x/entrypoint.sh and docs, deployment/docker (PORT, SSL_PORT, APP_CONFIG, PUBLIC_URL).
 */
import { Script } from 'node:vm'
import { isPublicPath } from '../viewer/public-path.ts'

export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
}

export interface OhifSettings {
  readonly port: number
  /** False: plain HTTP, whatever files are there. */
  readonly secure: boolean
  /** Where certificate and key lie, if any do. */
  readonly files: CertificateFiles
  /** The whole of app-config.js; undefined: the one in the viewer's folder. */
  readonly appConfig: string | undefined
  /** Undefined: wherever the viewer was built for. */
  readonly publicUrl: string | undefined
  /** Content-Security-Policy in place of ours. */
  readonly policy: string | undefined
}

/** Something that speaks against a start, with its cure. */
export interface Problem {
  readonly text: string
  readonly cure?: string
}

export interface Read {
  /** Undefined when there are problems. */
  readonly settings: OhifSettings | undefined
  readonly problems: readonly Problem[]
  readonly notes: readonly string[]
}

const usual: CertificateFiles = {
  certificate: '/etc/ssl/certs/ssl-certificate.crt',
  key: '/etc/ssl/private/ssl-private-key.key',
}

/** The variables that choose this mode. An empty one counts as not set, as in the image. */
export const chooses = (env: NodeJS.ProcessEnv): boolean => ['SSL_PORT', 'PORT'].some(name => (env[name] ?? '') !== '')

export function readOhifSettings(env: NodeJS.ProcessEnv): Read {
  const problems: Problem[] = []
  const refuse = (text: string, cure?: string) => void problems.push({ text, ...(cure === undefined ? {} : { cure }) })
  const given = (name: string): string | undefined => (env[name] === '' ? undefined : env[name])

  const secure = given('SSL_PORT') !== undefined
  const port = portOf(secure ? 'SSL_PORT' : 'PORT', given(secure ? 'SSL_PORT' : 'PORT') ?? '', refuse)

  const appConfig = given('APP_CONFIG')
  if (appConfig !== undefined) judgeAppConfig(appConfig, refuse)

  const publicUrl = given('PUBLIC_URL')
  if (publicUrl !== undefined && !isPublicPath(publicUrl))
    refuse(`PUBLIC_URL is ${shown(publicUrl)}, and has to be a path that begins and ends with a slash`, 'as in /ohif/')

  const policy = given('CSP_HEADER')
    ?.replace(/^\s*content-security-policy\s*:/i, '')
    .trim()
  // A semicolon between directives, each beginning with its name; nothing that could end the header line.
  if (
    policy !== undefined &&
    !/^[a-z][a-z-]+( [\x21-\x3a\x3c-\x7e]+)*(; *[a-z][a-z-]+( [\x21-\x3a\x3c-\x7e]+)*)*;?$/.test(policy)
  )
    refuse(
      'CSP_HEADER is not the value of a Content-Security-Policy',
      "write it in one line, such as: default-src 'self'; img-src 'self' blob: data:",
    )

  for (const name of ['CLIENT_ID', 'HEALTHCARE_API_ENDPOINT'])
    if (given(name) !== undefined)
      refuse(
        `${name} is set: the OHIF image makes settings for Google Cloud Healthcare of it, which is not done here`,
        `unset ${name}, and put the settings into APP_CONFIG`,
      )

  const notes =
    secure && given('PORT') !== undefined
      ? ['PORT is set too and stands back: with SSL_PORT there is no plain HTTP, as in the OHIF image']
      : []
  const files = {
    certificate: given('SSL_CERTIFICATE') ?? usual.certificate,
    key: given('SSL_CERTIFICATE_KEY') ?? usual.key,
  }
  const settings = { port, secure, files, appConfig, publicUrl, policy }
  return { settings: problems.length === 0 ? settings : undefined, problems, notes }
}

type Refuse = (text: string, cure?: string) => void

const shown = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)

function portOf(name: string, text: string, refuse: Refuse): number {
  const port = /^\d{1,5}$/.test(text.trim()) ? Number(text) : 0
  if (port < 1 || port > 65_535) refuse(`${name} is ${shown(text)}, which is no port`, 'write a number from 1 to 65535')
  return port
}

function judgeAppConfig(text: string, refuse: Refuse): void {
  // The build of the image takes a path under this name, the container takes contents.
  if (/^\s*\S+\.js\s*$/.test(text)) {
    refuse(
      `APP_CONFIG is ${shown(text.trim())}: it takes the contents of app-config.js, not its path`,
      'APP_CONFIG="$(cat app-config.js)"',
    )
    return
  }
  try {
    new Script(text, { filename: 'app-config.js' }) // read, not run
  } catch (cause) {
    const line = /^app-config\.js:(\d+)$/m.exec(cause instanceof Error ? (cause.stack ?? '') : '')?.[1]
    const said = cause instanceof Error ? cause.message : String(cause)
    refuse(
      `APP_CONFIG is no JavaScript that a browser could read${line === undefined ? '' : ` (line ${line})`}: ${said}`,
      'comments that begin with // do not survive when its lines are joined',
    )
  }
}
