/**
 * The online half of `check`: connects to each upstream and to the directory, and tells each outcome with its cause.
 */
import type { Config } from '../config/schema.ts'
import { causeLine } from '../kernel/fault.ts'
import { openDirectory } from '../ldap/directory.ts'
import type { Materials } from '../preflight.ts'
import { openUpstream } from '../upstream/upstream.ts'

export interface Finding {
  readonly what: string
  readonly ok: boolean
  readonly detail: string
  readonly milliseconds: number
}

async function timed(what: string, work: () => Promise<string>): Promise<Finding> {
  const from = performance.now()
  const outcome = await work().then(
    detail => ({ ok: true, detail }),
    (cause: unknown) => ({ ok: false, detail: causeLine(cause) }), // the outcome is what was asked for
  )
  return { what, ...outcome, milliseconds: Math.round(performance.now() - from) }
}

export async function checkOnline(config: Config, materials: Materials): Promise<Finding[]> {
  const findings: Promise<Finding>[] = []
  for (const [name, section] of Object.entries(config.upstreams)) {
    if (section.kind === 'ohif') continue
    findings.push(
      timed(`upstream ${name}`, async () => {
        await using upstream = openUpstream(name, section, materials.upstreamTrust.get(name), Date.now)
        const password = materials.upstreamPasswords.get(name)
        const authorization =
          section.credentials === undefined || password === undefined
            ? []
            : ([
                [
                  'authorization',
                  `Basic ${Buffer.from(`${section.credentials.username}:${password.reveal()}`).toString('base64')}`,
                ],
              ] as const)
        const { status, body } = await upstream.send({
          method: 'GET',
          target: section.kind === 'orthanc' ? '/system' : '/',
          headers: [['host', section.url.host], ...authorization],
          body: undefined,
          signal: AbortSignal.timeout(section.timeouts.connect * 2),
        })
        body.on('error', () => undefined).destroy()
        if (status === 401)
          throw new Error(
            `it answers, but ${password === undefined ? 'wants a sign-in (give it credentials)' : 'refuses the credentials'} (401)`,
          )
        return `answers with status ${status}`
      }),
    )
  }
  const { directory } = config.realms
  if (directory.enabled) {
    const steps: string[] = []
    findings.push(
      timed(`directory ${directory.urls.join(' ')}`, async () => {
        const opened = openDirectory(directory, {
          password: materials.directoryPassword,
          trust: materials.directoryTrust,
          onStep: (step, milliseconds) => steps.push(`${step} ${Math.round(milliseconds)} ms`),
        })
        await opened.probe()
        return steps.join(', ')
      }),
    )
  }
  return await Promise.all(findings)
}
