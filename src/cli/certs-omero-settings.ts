/**
 * The settings of an OMERO.server for the files of `certs omero`, and the commands that set them, quoted for a shell.
 *
 * Source: OMERO sysadmin documentation, "TLS" (the keys, and that they reach Glacier2 as IceSSL.*).
 */
import { resolve } from 'node:path'
import { quoted } from './shell-quote.ts'

export type OmeroSettings = Readonly<Record<string, string>>

const prefix = 'omero.glacier2.IceSSL.'

/** In the order of the manual; the password, which is a secret, has its place after CertFile. */
export const omeroSettings = (dir: string): OmeroSettings => ({
  [`${prefix}DefaultDir`]: dir,
  [`${prefix}CertFile`]: 'server.p12',
  [`${prefix}CAs`]: 'cacert.pem',
  // OMERO's own choice, and on top of it nothing without a certificate or without encryption.
  [`${prefix}Ciphers`]: 'HIGH:!DHE:!aNULL:!eNULL',
  [`${prefix}Protocols`]: 'TLS1_2,TLS1_3',
})

/** @param password  undefined: it stands in `passwordFile`, and is read from there by the shell */
export function omeroCommands(
  settings: OmeroSettings,
  password: string | undefined,
  passwordFile: string | undefined,
): string[] {
  const secret = password === undefined ? `"$(cat ${quoted(resolve(passwordFile ?? ''))})"` : quoted(password)
  return Object.entries(settings).flatMap(([key, value]) => {
    const line = `omero config set ${key} ${quoted(value)}`
    return key.endsWith('.CertFile') ? [line, `omero config set ${prefix}Password ${secret}`] : [line]
  })
}
