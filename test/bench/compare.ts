/**
 * The comparison: every scenario with every way to sign in and every number of workers, row by row.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { chart } from './chart.ts'
import { layGround } from './ground.ts'
import { type Cell, measure } from './matrix.ts'
import type { Options } from './options.ts'
import { machine, markdown, type Results, rowText } from './report.ts'
import { scenarios } from './scenarios.ts'
import { auths } from './targets/target.ts'

type Terms = Pick<Options, 'chosen' | 'targets' | 'workers' | 'repetitions' | 'seconds' | 'quick' | 'out'>

/** @returns the cells; those that failed say so. Writes bench.md, bench.json and bench.svg, anew after each row. */
export async function compare(
  t: Pick<Test, 'teardown'>,
  { chosen, targets, workers, repetitions, seconds, quick, out }: Terms,
  say: (line: string) => void,
): Promise<readonly Cell[]> {
  const rows = workers.flatMap(count =>
    auths.flatMap(auth =>
      scenarios.filter(({ name }) => chosen(name, auth)).map(scenario => ({ scenario, job: { auth, workers: count } })),
    ),
  )
  const minutes = Math.ceil((rows.length * targets.length * (repetitions * (seconds + 0.5) + 2)) / 60)
  say(`${rows.length} rows for ${targets.length} gateways: ${minutes} min at most`)
  const ground = await layGround(t, {
    directory: rows.some(({ job }) => job.auth === 'session' || job.auth === 'basic'),
  })
  mkdirSync(out, { recursive: true })
  const cells: Cell[] = []
  for (const { scenario, job } of rows) {
    // Without authentication it would be nginx once more.
    const seated = targets.filter(({ name }) => name !== 'nginx-open' || job.auth !== 'off')
    const row = await measure({ ground, scenario, job, targets: seated, repetitions, seconds, patient: !quick })
    cells.push(...row)
    say(rowText(scenario, job, row))
    for (const { target, failure } of row) if (failure !== undefined) say(`FAILED ${target}: ${failure}`)
    const results: Results = { machine: machine(), repetitions, seconds, cells }
    writeFileSync(join(out, 'bench.json'), `${JSON.stringify(results, null, 1)}\n`)
    writeFileSync(join(out, 'bench.md'), markdown(results))
    writeFileSync(join(out, 'bench.svg'), chart(cells))
  }
  return cells
}
