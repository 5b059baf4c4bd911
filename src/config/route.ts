/**
 * Which path leads where, and who may go there, as written. `access` has no default: a door is opened by name only.
 */
import { z } from 'zod'
import { Name, PathPrefix, PersonName } from './scalars.ts'

const Methods = z.array(z.string().regex(/^[A-Z]+$/, 'methods are written in capitals: GET, POST')).min(1)

const AccessRule = z
  .strictObject({
    groups: z.array(PersonName).min(1).optional(),
    people: z.array(PersonName).min(1).optional(),
    /** Who must vouch for them: `directory`, `local`, or the id of a certificate realm. Absent: one realm is as good as another. */
    realms: z.array(Name).min(1).optional(),
    may: z.union([z.enum(['read', 'write', 'everything']), Methods], {
      error: 'write read, write, everything, or a list of methods',
    }),
    /** What can run code, stop the server, reach other servers or export; only `everything` gives it, and only with this. */
    dangerous: z.boolean().default(false),
    /** Absent: it does not matter how it was proved. */
    proof: z
      .array(z.enum(['certificate', 'password', 'session']))
      .min(1)
      .optional(),
  })
  .superRefine((rule, context) => {
    if (rule.groups === undefined && rule.people === undefined) {
      context.addIssue({ code: 'custom', message: 'a rule names groups, people, or both' })
    }
    if (rule.dangerous && rule.may !== 'everything') {
      context.addIssue({
        code: 'custom',
        path: ['dangerous'],
        message: 'dangerous: true goes with may: everything only',
      })
    }
  })

export type AccessRule = z.output<typeof AccessRule>

const Access = z.union([z.enum(['everyone', 'authenticated']), z.array(AccessRule).min(1)], {
  error: 'write everyone, authenticated, or a list of rules',
})

export type Access = z.output<typeof Access>

const Host = z
  .string()
  .transform(host => host.toLowerCase())
  .refine(
    host => /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(host),
    'a host is a DNS name or an IPv4 address, without port',
  )

export const RouteSection = z.strictObject({
  host: Host.optional(),
  path: PathPrefix.refine(path => path !== '/-' && !path.startsWith('/-/'), 'paths under /-/ belong to the gateway'),
  upstream: Name,
  strip: z.boolean().default(false),
  access: Access,
})

export type RouteSection = z.output<typeof RouteSection>
