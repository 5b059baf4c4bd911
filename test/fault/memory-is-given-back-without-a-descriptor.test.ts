// Memory is given back when many come; many come when descriptors run out, and what the process holds cannot be read then.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'

const source = `
  import { openSync } from 'node:fs'
  import { giveBackSoon } from '${new URL('../../src/kernel/give-back.ts', import.meta.url)}'
  let open = 0
  try { for (;;) open = openSync('/dev/null') } catch (error) { console.log(error.code) }
  giveBackSoon()
  setTimeout(() => console.log('lives'), 1_200)`

t.test('where no descriptor is left, the process goes on', async t => {
  const { NODE_OPTIONS, ...env } = process.env
  const command = `ulimit -n 64 && exec "${process.execPath}" --input-type=module -e '${source.replaceAll("'", `'\\''`)}'`
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', command], { env })
  t.equal(stdout, 'EMFILE\nlives\n')
})
