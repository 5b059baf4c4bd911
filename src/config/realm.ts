/**
 * Who vouches for names, as written: certificates, the directory, the local file. OMERO's names in camelCase.
 *
 * Source: OMERO `omero.ldap.*` (names, meaning and defaults), omero-server.properties.
 */
import { z } from 'zod'
import { CertificateRealms } from './certificate-realm.ts'
import { peerTrustSection } from './peer-trust.ts'
import { Duration, type FileScalars, notYet } from './scalars.ts'

const groupSpecHint =
  'write a group name, or :query:(filter with @{dn}); :ou:, :attribute:, :filtered_attribute:, :dn_attribute:, :filtered_dn_attribute: and :bean: are not built yet'

const mapping = (required: string) =>
  z.string().transform((text, context): ReadonlyMap<string, string> => {
    // OMERO splits on any of these and takes the last of two equal keys.
    const pairs = text
      .split(/[\n\s;:,]+/)
      .filter(part => part !== '')
      .map(part => part.split(/=(.*)/s))
    const map = new Map(pairs.map(([key = '', value = '']) => [key, value] as const))
    const wrong = [...map].find(([, value]) => !/^[A-Za-z][A-Za-z0-9-]*$|^\d+(\.\d+)+$/.test(value))
    if (wrong !== undefined)
      context.addIssue({ code: 'custom', message: `"${wrong[0]}" needs the name of an LDAP attribute behind its =` })
    if (!map.has(required))
      context.addIssue({ code: 'custom', message: `a mapping for ${required} is needed, e.g. ${required}=cn` })
    return map
  })

const DirectoryUrl = z
  .string()
  .refine(
    text => /^ldaps?:\/\/[^/\s@]+\/?$/.test(text) && URL.canParse(text),
    'write ldap://host:389 or ldaps://host:636, without path or user',
  )

const directorySection = (scalars: FileScalars) =>
  z.strictObject({
    enabled: z.boolean().default(false),
    urls: z
      .union([z.string().transform(text => text.split(/\s+/)), z.array(z.string())])
      .pipe(z.array(DirectoryUrl).length(1, 'several directory URLs are not built yet; write one'))
      .default(['ldap://localhost:389']),
    startTls: z.literal(false, { error: 'StartTLS is not built yet; use an ldaps:// URL' }).default(false),
    tls: peerTrustSection(scalars).optional(),
    /** Absent: the search is made anonymously. */
    username: z.string().min(1).optional(),
    password: scalars.SecretRef.optional(),
    base: z.string().default('ou=example,o=com'),
    userFilter: z.string().default('(objectClass=person)'),
    userMapping: mapping('omeName').prefault(
      'omeName=cn,firstName=givenName,lastName=sn,email=mail,institution=department,middleName=middleName',
    ),
    groupFilter: z.string().default('(objectClass=groupOfNames)'),
    groupMapping: mapping('name').prefault('name=cn'),
    newUserGroup: z
      .string()
      .regex(/^(?!:)[^\p{Cc}]+$|^:query:./u, groupSpecHint)
      .default('default'),
    newUserGroupOwner: z.literal('', { error: 'newUserGroupOwner is not built yet; leave it out' }).default(''),
    syncOnLogin: notYet('syncOnLogin'),
    referral: z.literal('ignore', { error: 'referrals other than "ignore" are not built yet' }).default('ignore'),
    connectTimeout: Duration.default(5_000),
    readTimeout: Duration.default(5_000),
    nestedGroups: z.literal(false, { error: 'nestedGroups is not built yet; leave it out' }).default(false),
  })

export type DirectorySection = z.output<ReturnType<typeof directorySection>>

export const realmsSection = (scalars: FileScalars) =>
  z
    .strictObject({
      certificate: CertificateRealms.prefault({}),
      directory: directorySection(scalars).prefault({}),
      /** Absent: users.yaml in the state directory. */
      local: z.strictObject({ file: scalars.Place }).optional(),
      passwordProvider: z
        .enum(['chained', 'directory', 'local'], {
          error: issue =>
            issue.input === 'chained431'
              ? 'chained431 is not built yet; known: chained, directory, local'
              : 'known: chained, directory, local',
        })
        .default('chained'),
      ignoreCase: z.literal(false, { error: 'ignoreCase is not built yet; leave it out' }).default(false),
      basic: z
        .boolean()
        .default(false)
        .meta({ description: 'Authorization: Basic for scripts, besides the login page' }),
    })
    .prefault({})

export type RealmsSection = z.output<ReturnType<typeof realmsSection>>
