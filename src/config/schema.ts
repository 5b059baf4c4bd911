/**
 * The whole configuration: the sections put together, and the references between them.
 *
 * Parsing has no effect. Shape first, then references, because zod leaves whole-object checks out when the shape fails.
 */
import { isIP } from 'node:net'
import { join } from 'node:path'
import { z } from 'zod'
import { listenerSection } from './listener.ts'
import { realmsSection } from './realm.ts'
import { RouteSection } from './route.ts'
import { Bind, Duration, fileScalars, Name, notYet, Origin, PersonName } from './scalars.ts'
import { storeSection } from './store.ts'
import { streamSection } from './stream.ts'
import { upstreamSection } from './upstream.ts'

const AddressRange = z.string().refine(text => {
  const [address = '', bits] = text.split('/')
  const family = isIP(address)
  return family !== 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)))
}, 'write an IP address or a range, e.g. 10.0.0.5 or 10.0.0.0/8')

/**
 * @param resolvePath  makes a path of the file absolute
 * @param noteFile     told of each file that the configuration names to be read
 */
export function configSchema(resolvePath: (path: string) => string, noteFile?: (path: string) => void) {
  const scalars = fileScalars(resolvePath, noteFile)
  const { Place, SecretRef } = scalars
  const inState = (state: string, file: string) => join(state, file)
  return z
    .strictObject({
      state: Place.prefault('state'),
      administrators: z.array(PersonName).default([]),
      drain: Duration.default(30_000),
      authority: z
        .strictObject({
          dir: Place.prefault('certs/authority'),
          days: z.int().min(1).max(3650).default(825),
          password: SecretRef.optional(),
        })
        .prefault({}),
      listeners: z
        .record(Name, listenerSection(scalars))
        .refine(all => Object.keys(all).length > 0, 'at least one listener is needed'),
      realms: realmsSection(scalars),
      sessions: z
        .strictObject({
          store: storeSection(scalars, resolvePath).optional(),
          idle: Duration.default(30 * 60_000),
          absolute: Duration.default(12 * 3_600_000),
          /** How old what the directory said of somebody may become before it is asked again, in the background. */
          recheck: Duration.refine(span => span >= 1_000, 'at least 1 s').prefault('15 min'),
        })
        .prefault({}),
      upstreams: z.record(Name, upstreamSection(scalars)).default({}),
      routes: z.array(RouteSection).default([]),
      streams: z.record(Name, streamSection(scalars)).default({}),
      cors: z.strictObject({ origins: z.array(Origin).default([]) }).prefault({}),
      audit: z
        .strictObject({
          file: Place.optional(),
          onFailure: z.enum(['continue', 'refuse']).default('continue'),
          syslog: notYet('audit.syslog'),
        })
        .prefault({}),
      admin: z.strictObject({ bind: Bind }).optional(),
      trustedProxies: z.array(AddressRange).default([]),
      /** Processes; auto: one for each processor, as far as what they share is enough for all (config/divided.ts). */
      workers: z
        .union([z.literal('auto'), z.int().min(1).max(64)], { error: 'write auto, or a number from 1 to 64' })
        .default(1),
      log: z
        .strictObject({
          level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
          format: z.enum(['auto', 'json', 'pretty']).default('auto'),
        })
        .prefault({}),
    })
    .transform(config => ({
      ...config,
      realms: {
        ...config.realms,
        local: {
          file: config.realms.local?.file ?? inState(config.state, 'users.yaml'),
          /** They stand in Redis with all else, unless a file is named. */
          isShared: config.sessions.store?.kind === 'redis' && config.realms.local === undefined,
        },
      },
      sessions: {
        ...config.sessions,
        store: config.sessions.store ?? { kind: 'sqlite' as const, file: inState(config.state, 'sallyport.db') },
      },
      audit: { ...config.audit, file: config.audit.file ?? inState(config.state, 'audit.jsonl') },
    }))
}

export type Config = z.output<ReturnType<typeof configSchema>>

/** The same as JSON Schema, for editors; config/sallyport.schema.json holds it, and a test fails when that is stale. */
export const configJsonSchema = (): string =>
  `${JSON.stringify(
    z.toJSONSchema(
      configSchema(path => path),
      { io: 'input', unrepresentable: 'any' },
    ),
    undefined,
    2,
  )}\n`
