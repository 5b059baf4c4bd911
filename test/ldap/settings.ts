/**
 * Directory settings as an operator would write them, parsed by the real schema, for slapd or for any URL.
 */
import { realmsSection } from '../../src/config/realm.ts'
import { fileScalars } from '../../src/config/scalars.ts'
import { Secret } from '../../src/kernel/secret.ts'
import { type Directory, type DirectoryOptions, openDirectory } from '../../src/ldap/directory.ts'
import type { DirectorySettings } from '../../src/ldap/directory-plan.ts'
import type { Slapd } from '../fixture/slapd.ts'

export const settingsOf = (written: Record<string, unknown>): DirectorySettings =>
  realmsSection(fileScalars(path => path)).parse({ directory: written }).directory

/** The directory of a test: uid as name, groups by membership. */
export function directoryOf(
  slapd: Slapd,
  written: Record<string, unknown> = {},
  options: DirectoryOptions = {},
): Directory {
  const settings = settingsOf({
    urls: [slapd.url],
    username: slapd.reader.dn,
    base: slapd.base,
    userMapping: 'omeName=uid,email=mail,lastName=sn',
    newUserGroup: ':query:(member=@{dn})',
    ...written,
  })
  return openDirectory(settings, { password: new Secret(slapd.reader.password), ...options })
}
