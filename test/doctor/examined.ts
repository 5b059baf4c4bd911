/**
 * One server tried as `sallyport ldap` tries it, over whatever URL a test has, and the first thing that failed there.
 */
import type { Test } from 'tap'
import type { Diagnosis } from '../../src/doctor/diagnosis.ts'
import { type Examination, type ExaminationOptions, openExamination } from '../../src/doctor/examination.ts'
import { Secret } from '../../src/kernel/secret.ts'
import { reader, suffix } from '../fixture/directory-tree.ts'
import { settingsOf } from '../ldap/settings.ts'

type Teardown = Pick<Test, 'teardown'>

export function examinationOf(
  t: Teardown,
  url: string,
  written: Record<string, unknown> = {},
  options: ExaminationOptions = {},
): Examination {
  const settings = settingsOf({
    ...{ urls: [url], username: reader.dn, base: suffix, userMapping: 'omeName=uid,email=mail,lastName=sn' },
    ...{ newUserGroup: ':query:(member=@{dn})', connectTimeout: '1 s', readTimeout: '1 s' },
    ...written,
  })
  const examination = openExamination(url, settings, { password: new Secret(reader.password), ...options })
  t.teardown(() => examination[Symbol.asyncDispose]())
  return examination
}

/** As far as the groups of `name`, or as it gets. */
export async function tried(examination: Examination, name = 'alice', password?: string): Promise<Examination> {
  const knocked = await examination.knock()
  const found = knocked.ok ? await examination.find(name) : undefined
  await examination.explainMissing(name)
  if (found?.ok !== true || found.value.kind !== 'found') return examination
  if (password !== undefined) await examination.checkPassword(found.value.entry, password)
  await examination.groupsOf(found.value.entry)
  return examination
}

/** `step code`, and the words, of what failed first. */
export function firstFailure({ steps }: Examination): { at: string; said: string } {
  const failed = steps.find(({ ok }) => !ok)
  const { code = 'nothing', cause = '', cure = '' }: Partial<Diagnosis> = failed?.diagnosis ?? {}
  return { at: `${failed?.step} ${code}`, said: `${cause} => ${cure}` }
}
