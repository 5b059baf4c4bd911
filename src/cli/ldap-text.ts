/**
 * What `sallyport ldap` has found out, as text for people and as a value for programs; and the exit code.
 *
 * Not to forget: names, DNs and words of the directory may hold anything, so nothing of them reaches a terminal as a
 * control character.
 */
import type { Config } from '../config/schema.ts'
import type { Diagnosis } from '../doctor/diagnosis.ts'
import type { Examination } from '../doctor/examination.ts'
import type { Step } from '../doctor/step-rows.ts'
import { refusalReasons } from '../identity/answer.ts'
import { plain } from './certs-text.ts'
import type { Decision } from './ldap-decision.ts'
import type { Examined } from './ldap-examine.ts'
import { standingLines } from './ldap-standing.ts'
import type { Report } from './report.ts'

const causeLines = ({ cause, cure }: Diagnosis, indent: string): string[] => [
  `${indent}cause: ${plain(cause)}`,
  `${indent}cure:  ${plain(cure)}`,
]

const indent = ' '.repeat(10)

function stepLines({ step, ok, milliseconds, what, detail, diagnosis }: Step): string[] {
  const time = milliseconds === undefined ? '' : `${Math.round(milliseconds)} ms`
  return [
    `  ${ok ? 'ok    ' : 'FAILED'}  ${step.padEnd(8)}  ${time.padStart(7)}  ${plain(what)}`.trimEnd(),
    ...(detail === undefined ? [] : [`${indent}${plain(detail)}`]),
    ...(diagnosis === undefined ? [] : causeLines(diagnosis, indent)),
  ]
}

const serverLines = ({ url, steps }: Pick<Examination, 'url' | 'steps'>): string[] => [url, ...steps.flatMap(stepLines)]

const isWell = ({ steps }: Pick<Examination, 'steps'>): boolean => steps.every(({ ok }) => ok)

export function tellExamined(examined: Examined, config: Config, report: Report): void {
  const { depth, name, servers, entry, groups, dropped, account, local, decision, remarks } = examined
  const failed = servers.filter(server => !isWell(server))
  const ok = failed.length === 0 && decision.outcome === 'let-in'
  const said = decisionLines(decision, depth === 'test')
  const lines = [
    ...servers.flatMap(serverLines),
    ...(entry === undefined ? [] : ['entry', ...entryLines(entry)]),
    ...(groups?.kind === 'groups' ? ['groups, as the directory has them', ...groupLines(groups, dropped)] : []),
    'here',
    ...standingLines(examined, config).map(([label, text]) => `  ${label.padEnd(11)} ${plain(text)}`),
    ...remarks.flatMap(remark => [`remark: ${plain(remark.cause)}`, `${indent}cure:  ${plain(remark.cure)}`]),
    ...said.map(plain),
  ]
  report.result(lines.join('\n'), {
    ...{ name, ok },
    servers: servers.map(server => ({ url: server.url, ok: isWell(server), steps: server.steps.map(stepValue) })),
    entry: entry && {
      ...{ dn: entry.dn, id: entry.id ?? null, name: entry.name, particulars: entry.particulars },
      ...{ closed: entry.closed ?? null, locked: entry.locked ?? null },
    },
    groups: groups?.kind === 'groups' ? { found: groups.groups, skipped: groups.skipped ?? [], dropped } : null,
    account: account ?? null,
    localAccount: local === undefined ? null : { locked: local.locked, groups: local.groups },
    decision: { ...decision, assumesPassword: depth !== 'test' },
    ...{ certificate: examined.byCertificate ?? null, remarks },
  })
  if (decision.outcome !== 'let-in') report.fail(1, `${name} would not get in`)
  else if (failed.length > 0)
    report.fail(1, `${failed.length === 1 ? 'one server' : `${failed.length} servers`} of ${servers.length} failed`)
}

/** For `--json`. */
export const stepValue = ({ step, ok, milliseconds, ...more }: Step) => ({
  ...{ step, ok },
  ...(milliseconds === undefined ? {} : { milliseconds: Math.round(milliseconds * 10) / 10 }),
  ...more,
})

function entryLines(entry: NonNullable<Examined['entry']>): string[] {
  const { dn, id, name, particulars, closed, locked } = entry
  const rows: (readonly [string, string | undefined])[] = [
    ...([
      ['dn', dn],
      ['id', id ?? 'none: known again by its DN only'],
      ['name', name],
    ] as const),
    ...Object.entries(particulars),
    ...([
      ['closed', closed],
      ['locked', locked],
    ] as const),
  ]
  return rows.flatMap(([label, text]) => (text === undefined ? [] : [`  ${label.padEnd(11)} ${plain(text)}`]))
}

function groupLines(
  { groups, skipped = [] }: Extract<NonNullable<Examined['groups']>, { kind: 'groups' }>,
  dropped: readonly string[],
): string[] {
  const mark = (name: string) =>
    dropped.includes(name) ? ' (reserved: the directory must not confer it; realms.directory.allowReserved)' : ''
  return [
    ...groups.map(({ name, owner }) => `  ${plain(name)}${owner ? ' (owner)' : ''}${mark(name)}`),
    ...skipped.map(why => `  skipped: ${plain(why)}`),
  ]
}

function decisionLines(decision: Decision, hasPassword: boolean): string[] {
  const given = hasPassword ? '' : ' with the right password'
  switch (decision.outcome) {
    case 'let-in': {
      const { name, realm, groups, notice = {} } = decision
      const days =
        notice.expiresIn === undefined
          ? ''
          : `; told that the password ends in ${Math.ceil(notice.expiresIn / 86_400)} days`
      const grace =
        notice.graceLeft === undefined
          ? ''
          : `; told that the password has ended, and of ${notice.graceLeft} sign-ins left`
      const vouched = realm === 'local' ? ', a local account,' : ''
      return [
        `let in${given} as ${name}${vouched} ${groups.length === 0 ? 'in no group' : `with groups: ${groups.join(', ')}`}${days}${grace}`,
      ]
    }
    case 'refused':
      return [
        `refused${hasPassword ? '' : ', even with the right password'}: ${decision.why.replace(/^directory: /, '')}`,
        `the person reads: ${refusalReasons[decision.reason]}`,
      ]
    case 'unavailable':
      return [
        'not decided: the directory has the word, and cannot answer. Nobody of the directory can sign in until then',
      ]
  }
}
