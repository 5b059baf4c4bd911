/**
 * Who vouches for names, as written: certificates, the directory, the local file. OMERO's names in camelCase.
 *
 * Source: OMERO `omero.ldap.*` (names, meaning and defaults), omero-server.properties.
 */
import { z } from 'zod'
import { CertificateRealms } from './certificate-realm.ts'
import { groupSpec } from './group-spec.ts'
import { peerTrustSection } from './peer-trust.ts'
import { Duration, type FileScalars, PersonName } from './scalars.ts'

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
    text => /^ldaps?:\/\/[^/\s@?#]+\/?$/i.test(text) && URL.canParse(text),
    'write ldap://host:389 or ldaps://host:636, without path (that is "base") or user',
  )

const directorySection = (scalars: FileScalars) =>
  z.strictObject({
    enabled: z.boolean().default(false),
    /** In the order in which they are tried. */
    urls: z
      .union([z.string().transform(text => text.trim().split(/\s+/)), z.array(z.string())])
      .pipe(z.array(DirectoryUrl).min(1, 'at least one URL is needed'))
      .default(['ldap://localhost:389']),
    /** For ldap:// URLs: encrypted before anything is said, or not spoken to at all. */
    startTls: z.boolean().default(false),
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
    newUserGroup: groupSpec(scalars).prefault('default'),
    /** A filter beside the one of `:query:`; whose groups it finds, they own. Empty: nobody owns a group. */
    newUserGroupOwner: z.string().default(''),
    /** Reserved groups that the directory may confer all the same: `system`, `user`, `guest`, administrators. */
    allowReserved: z.array(PersonName).default([]),
    syncOnLogin: z.boolean().default(false),
    referral: z.enum(['ignore', 'follow', 'throw'], { error: 'known: ignore, follow, throw' }).default('ignore'),
    connectTimeout: Duration.default(5_000),
    readTimeout: Duration.default(5_000),
    /** `true` is `chain`: Active Directory answers for all levels at once. `walk`: level by level, for the others. */
    nestedGroups: z
      .union([z.boolean().transform(on => (on ? ('chain' as const) : false)), z.enum(['chain', 'walk'])], {
        error: 'known: false, true (the matching rule of Active Directory), walk (level by level)',
      })
      .default(false),
  })

const Limit = (failures: number, within: string) =>
  z
    .strictObject({
      failures: z.int().min(1, 'at least one failure must be possible').max(1_000_000).default(failures),
      within: Duration.refine(span => span >= 1_000, 'at least 1 s').prefault(within),
    })
    .prefault({})

/**
 * Failed sign-ins before nothing is even tried any more. By name it must be fewer than the directory takes before it
 * locks the account (its lockout threshold, in its window): else strangers could lock people out of everything else. Of
 * somebody who has come in lately, strangers can use up all of them but two.
 */
const ThrottleSection = z
  .strictObject({ name: Limit(4, '30 min'), address: Limit(50, '5 min'), everyone: Limit(1200, '1 min') })
  .prefault({})

export type ThrottleSection = z.output<typeof ThrottleSection>

const providers = ['chained', 'chained431', 'directory', 'local'] as const

export type DirectorySection = z.output<ReturnType<typeof directorySection>>

export const realmsSection = (scalars: FileScalars) =>
  z
    .strictObject({
      certificate: CertificateRealms.prefault({}),
      directory: directorySection(scalars).prefault({}),
      /** Absent: users.yaml in the state directory. */
      local: z.strictObject({ file: scalars.Place }).optional(),
      /** chained: directory, then local. chained431: the filter is asked at the first sign-in only. */
      passwordProvider: z
        .enum(providers, {
          error: ({ input }) =>
            /nosalt/i.test(String(input))
              ? 'chainedPasswordProviderNoSalt is not to be had: passwords of local accounts are always salted here; write chained'
              : `known: ${providers.join(', ')}`,
        })
        .default('chained'),
      /** Names in small letters, whatever is typed (NFC, no locale). */
      ignoreCase: z.boolean().default(false),
      throttle: ThrottleSection,
      basic: z
        .boolean()
        .default(false)
        .meta({ description: 'Authorization: Basic for scripts, besides the login page' }),
    })
    .prefault({})

export type RealmsSection = z.output<ReturnType<typeof realmsSection>>
