// What the examples say of HAProxy is a configuration that HAProxy takes, without a word of warning.
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { requireReal } from '../fixture/real.ts'

const run = promisify(execFile)
const examples = join(import.meta.dirname, '../../config/examples')

/** The lines below "In HAProxy:", three blanks deep in a comment, up to the next sentence or command. */
function haproxyPart(file: string): string {
  const lines = readFileSync(join(examples, file), 'utf8').split('\n')
  const from = lines.findIndex(line => line.endsWith('In HAProxy:'))
  const rest = lines.slice(from + 1)
  const end = rest.findIndex(line => !/^#( {3}(?!cp )|$)/.test(line))
  return `${rest
    .slice(0, end)
    .map(line => line.slice(4))
    .join('\n')}\n`
}

for (const file of ['several-gateways.yaml', 'behind-haproxy.yaml'])
  t.test(file, async t => {
    if (!requireReal(t, ['haproxy'])) return
    const text = haproxyPart(file)
    t.match(text, /^frontend \w+\n {2}mode tcp\n(.*\n)+backend /m)
    const written = join(t.testdir({}), 'haproxy.cfg')
    writeFileSync(written, text)
    const { stdout, stderr } = await run('/usr/sbin/haproxy', ['-c', '-f', written])
    t.notMatch(stdout + stderr, /WARNING|ALERT/i)
  })
