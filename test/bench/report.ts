/**
 * The results in words: one line while it runs, and the Markdown that a newcomer reads.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { type Cell, lessIsBetter, median } from './matrix.ts'
import { coresFor } from './processes.ts'
import { type Scenario, scenarios } from './scenarios.ts'
import type { Auth, Job } from './targets/target.ts'

export interface Results {
  readonly machine: Readonly<Record<string, string>>
  readonly repetitions: number
  readonly seconds: number
  readonly cells: readonly Cell[]
}

function version(command: string, args: readonly string[], pattern: RegExp): string {
  try {
    // Some print it on stderr.
    const said = execFileSync('/bin/sh', ['-c', `"$0" "$@" 2>&1`, command, ...args], { encoding: 'utf8' })
    return pattern.exec(said)?.[1] ?? 'unknown'
  } catch {
    return 'not installed'
  }
}

/** What it ran on, and which versions. */
export const machine = (): Record<string, string> => ({
  date: new Date().toISOString().slice(0, 16),
  processor: `${availableParallelism()} x ${cpus()[0]?.model ?? 'unknown'}`,
  kernel: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim(),
  node: `${process.version} (OpenSSL ${process.versions.openssl})`,
  nginx: version('/usr/sbin/nginx', ['-v'], /nginx\/(\S+)/),
  haproxy: version('/usr/sbin/haproxy', ['-v'], /version (\S+)/),
  apache: version('/usr/sbin/apache2', ['-v'], /Apache\/(\S+)/),
  caddy: version('/usr/bin/caddy', ['version'], /^v?(\S+)/),
})

const digits = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : value >= 10 ? value.toFixed(1) : value.toFixed(2)

/** A cell as people read it: `12,345 ×0.81 cpu ×0.75`. */
export function cellText({ value, ratio, cpuRatio, rounds, why, failure }: Cell): string {
  if (failure !== undefined) return 'FAILED'
  if (why !== undefined || value === undefined) return '–'
  const rss = median(rounds.flatMap(({ rss }) => rss ?? []))
  return [
    digits(value),
    rss === undefined ? '' : `(${digits(rss)} resident)`,
    ratio === undefined ? '' : `×${ratio.toFixed(2)}`,
    cpuRatio === undefined ? '' : `cpu ×${cpuRatio.toFixed(2)}`,
  ]
    .filter(part => part !== '')
    .join(' ')
}

export const rowText = ({ name, unit }: Scenario, { auth, workers }: Job, row: readonly Cell[]): string =>
  `${name} (${auth}, ${workers} worker${workers === 1 ? '' : 's'}, ${unit}): ${row.map(cell => `${cell.target} ${cellText(cell)}`).join(' | ')}`

const authTitles: Readonly<Record<Auth, string>> = {
  off: 'Without authentication',
  session: 'Signed in, with a session cookie',
  certificate: 'With a client certificate',
  basic: 'With Basic, the password checked by LDAP',
}

export const sectionTitle = (auth: Auth, workers: number): string =>
  `${authTitles[auth]}, ${workers === 1 ? 'one worker' : `${workers} workers`}`

const percent = (share: number | undefined) => `${Math.round((share ?? 0) * 100)} %`

/** Who signs people in against who does not, each in the same repetition. */
const againstOpen = (own: Cell, open: Cell): number | undefined =>
  median(
    own.rounds.flatMap(({ value }, turn) => {
      const other = open.rounds[turn]?.value
      return other === undefined ? [] : [lessIsBetter.has(own.unit) ? other / value : value / other]
    }),
  )

function section(cells: readonly Cell[], auth: Auth, workers: number): string[] {
  const targets = [...new Set(cells.map(({ target }) => target))]
  const hasOpen = targets.includes('nginx-open')
  const rows = scenarios.flatMap(({ name, title, unit }) => {
    const row = cells.filter(({ scenario }) => scenario === name)
    if (row.length === 0) return []
    const texts = targets.map(target => {
      const cell = row.find(one => one.target === target)
      return cell === undefined ? '–' : cellText(cell)
    })
    const base = row.find(({ target }) => target === 'nginx')
    const [open, own] = [
      row.find(({ target }) => target === 'nginx-open'),
      row.find(({ target }) => target === 'sallyport'),
    ]
    const against = open && own && againstOpen(own, open)
    const strangers = Math.max(0, ...row.flatMap(({ rounds }) => rounds.map(round => round.strangers)))
    return `| ${title} (${unit}) | ${texts.join(' | ')} | ${hasOpen ? `${against === undefined ? '–' : `×${against.toFixed(2)}`} | ` : ''}${(base?.rounds.length ?? 0) > 1 ? percent(base?.spread) : '–'} | ${strangers.toFixed(1)} |`
  })
  const { gateway, rest, shared } = coresFor(workers)
  const why = new Map<string, Set<string>>()
  for (const { target, scenario, why: reason } of cells)
    if (reason !== undefined) {
      const key = `${target}: ${reason}`
      why.set(key, (why.get(key) ?? new Set()).add(scenario))
    }
  const measured = new Set(cells.map(({ scenario }) => scenario)).size
  return [
    `## ${sectionTitle(auth, workers)}`,
    '',
    `Gateway on processor ${gateway}, load and upstream on ${rest}.${shared ? ' **They share it: compare the CPU, not the throughput.**' : ''}`,
    '',
    `| work | ${targets.join(' | ')} | ${hasOpen ? 'sallyport against nginx-open | ' : ''}nginx varied by | others' load |`,
    `| --- |${' ---: |'.repeat(targets.length + (hasOpen ? 3 : 2))}`,
    ...rows,
    '',
    ...[...why].map(([key, names]) => `- ${key}${names.size === measured ? '' : ` (${[...names].join(', ')})`}`),
    ...cells.flatMap(({ target, scenario, failure }) =>
      failure === undefined
        ? []
        : [
            `- **FAILED** ${target}, ${scenario}: \`${failure.trim().split('\n').slice(0, 2).join(' ').slice(0, 300)}\``,
          ],
    ),
    '',
  ]
}

export function markdown({ machine, repetitions, seconds, cells }: Results): string {
  const groups = Map.groupBy(cells, ({ auth, workers }) => `${workers} ${auth}`)
  const ciphers = Map.groupBy(
    cells.filter(({ cipher }) => cipher !== undefined),
    ({ cipher }) => cipher,
  )
  return [
    '# sallyport beside other gateways',
    '',
    'In each cell: what was reached, then `×`: throughput against nginx, then `cpu ×`: CPU that nginx spends on one unit',
    'of the work against what this gateway spends. **Above 1 is better than nginx**, also for milliseconds and memory.',
    'nginx has the same way to sign in, except in the column nginx-open, which has none. Ratios are medians of',
    `${repetitions} repetition${repetitions === 1 ? '' : 's'} of ${seconds} s, each against nginx in the same repetition; differences below what nginx itself varied by`,
    'are no findings. Where the load generator is the limit (handshakes, uploads, downloads), only the CPU tells something.',
    '"Others\' load": processors that other work on this machine kept busy, at worst. README.md says how it is measured.',
    '',
    ...Object.entries(machine).map(([name, value]) => `- ${name}: ${value}`),
    ...[...ciphers].map(
      ([cipher, those]) => `- ${cipher}: ${[...new Set(those.map(({ target }) => target))].join(', ')}`,
    ),
    '',
    ...[...groups.values()].flatMap(group => section(group, group[0]?.auth ?? 'off', group[0]?.workers ?? 1)),
  ].join('\n')
}
