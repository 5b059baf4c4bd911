/**
 * The online half of `check` for the directory: each of its servers with its steps, by the code of `sallyport ldap`.
 *
 * Nobody is looked up, and no password but that of the reader is sent; at the next server not even that one, once it was
 * refused.
 */
import type { Config } from '../config/schema.ts'
import type { Diagnosis } from '../doctor/diagnosis.ts'
import { type Examination, openExamination } from '../doctor/examination.ts'
import { remarksOn } from '../doctor/remarks.ts'
import type { Step } from '../doctor/step-rows.ts'
import type { Materials } from '../preflight.ts'
import { plain } from './certs-text.ts'
import { stepValue } from './ldap-text.ts'
import type { Finding } from './online-finding.ts'

export async function checkDirectory({ realms }: Config, materials: Materials): Promise<Finding[]> {
  const { directory, ignoreCase, throttle } = realms
  if (!directory.enabled) return []
  const { directoryPassword: password, directoryTrust: trust } = materials
  const findings: Finding[] = []
  let refusedAt: string | undefined
  for (const url of directory.urls) {
    await using server = openExamination(url, directory, { password, trust, ignoreCase })
    const { ok } = await (refusedAt === undefined ? server.knock() : server.knockAsNobody(refusedAt))
    const milliseconds = Math.round(server.steps.reduce((sum, step) => sum + (step.milliseconds ?? 0), 0))
    if (isReaderRefused(server)) refusedAt ??= url
    const remarks = ok ? await remarksOn(server, throttle.name) : []
    findings.push({
      what: `directory ${url}`,
      ok,
      detail: detailOf(server.steps, remarks),
      milliseconds,
      steps: server.steps.map(stepValue),
    })
  }
  return findings
}

const isReaderRefused = ({ steps }: Pick<Examination, 'steps'>): boolean =>
  steps.some(({ step, ok }) => step === 'reader' && !ok)

const detailOf = (steps: readonly Step[], remarks: readonly Diagnosis[]): string =>
  [
    ...steps.map(({ step, milliseconds, detail, diagnosis }) =>
      [
        step,
        ...(milliseconds === undefined ? [] : [`${Math.round(milliseconds)} ms`]),
        ...(detail === undefined ? [] : [`(${plain(detail)})`]),
        ...(diagnosis === undefined ? [] : [`failed: ${plain(diagnosis.cause)}; cure: ${plain(diagnosis.cure)}`]),
      ].join(' '),
    ),
    ...remarks.map(({ cause, cure }) => `warning: ${plain(cause)}; cure: ${plain(cure)}`),
  ].join(', ')
