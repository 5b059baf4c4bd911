// Processes that run at one time share one policy file, and what a dead one left is swept out.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { claimPolicy } from '../fixture/browser-policy.ts'
import { requireReal, requireRoot } from '../fixture/real.ts'

const file = '/etc/chromium/policies/managed/zz-sallyport-tests.json'
/** Other tests may be at work, so only our own patterns are looked at. */
const ours = (): string[] => {
  if (!existsSync(file)) return []
  const { AutoSelectCertificateForUrls: entries } = JSON.parse(readFileSync(file, 'utf8'))
  const patterns = entries.map((entry: string) => JSON.parse(entry).pattern)
  return patterns.filter((pattern: string) => pattern.includes(`selftest-${process.pid}`)).sort()
}
const pattern = (name: string) => `https://${name}.selftest-${process.pid}.test:1`

/** A process that claims a pattern and says so; it gives it back when its input ends. */
const claimant = `
const { claimPolicy } = await import(process.argv[1])
const release = await claimPolicy([{ pattern: process.argv[2], issuer: 'CA' }])
console.log('claimed')
process.stdin.on('end', async () => { await release(); process.exit() }).resume()`

async function startClaimant(name: string): Promise<ChildProcess> {
  const module = join(import.meta.dirname, '..', 'fixture', 'browser-policy.ts')
  const args = ['--input-type=module', '-e', claimant, module, pattern(name)]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  if (child.stdout) await once(child.stdout, 'data')
  return child
}

t.test('claims of several processes add up, and go one by one', async t => {
  if (!requireReal(t, []) || !requireRoot(t, 'browser policy')) return
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  const children = await Promise.all(names.map(startClaimant))
  t.same(ours(), names.map(pattern))

  const release = await claimPolicy([{ pattern: pattern('g'), issuer: 'CA' }])
  t.same(ours(), [...names, 'g'].map(pattern))

  const [killed, ...polite] = children
  killed?.kill('SIGKILL')
  if (killed) await once(killed, 'exit')
  await release()
  t.same(ours(), names.slice(1).map(pattern), 'the dead one is swept out by the next that comes')

  await Promise.all(
    polite.map(child => {
      child.stdin?.end()
      return once(child, 'exit')
    }),
  )
  t.same(ours(), [])
})
