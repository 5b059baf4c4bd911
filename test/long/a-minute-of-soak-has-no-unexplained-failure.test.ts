// `npm run soak` for one minute: it judges itself, and its picture can be drawn.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { chromiumTools } from '../fixture/chromium.ts'
import { orthancTools } from '../fixture/orthanc.ts'
import { requireReal } from '../fixture/real.ts'
import { slapdTools } from '../fixture/slapd.ts'

t.test('a minute of mixed load with reloads, kills and stops', async t => {
  if (!requireReal(t, [...chromiumTools, ...orthancTools, ...slapdTools])) return
  const folder = t.testdir()
  const { NODE_OPTIONS, ...env } = process.env
  const soak = join(import.meta.dirname, '../soak/soak.ts')
  const { status, stdout, stderr } = spawnSync(process.execPath, [soak, '1'], {
    encoding: 'utf8',
    env: { ...env, SOAK_RESULTS: folder },
  })
  t.equal(status, 0, stdout + stderr)
  t.match(stdout, /, 0 unexplained failures$/m)
  const { rows } = JSON.parse(readFileSync(join(folder, 'soak.json'), 'utf8'))
  for (const { load, done } of rows) t.ok(done > 0, `${load}: ${done} went well`)
  t.ok(rows.length >= 10)
  t.match(readFileSync(join(folder, 'soak.svg'), 'utf8'), /^<svg .*<polyline/s)
})
