// What runs for weeks keeps in memory whatever it has loaded; libraries of rare work are loaded where that work is done.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'

const src = join(import.meta.dirname, '../../src')
const rare = ['pkijs', 'pino-pretty', 'undici', 'tar', 'selfsigned', '@redis/client']

/** Packages that come with a program as it starts: its imports, and theirs; types and `import()` load nothing then. */
function packagesOf(program: string): ReadonlySet<string> {
  const packages = new Set<string>()
  const files = new Set([join(src, program)])
  for (const file of files) {
    const imports = readFileSync(file, 'utf8').matchAll(/^(?:import|export) (?!type )(?:[^'"]*? from )?'([^']+)'/gm)
    for (const [, target = ''] of imports) {
      if (!target.startsWith('.')) packages.add(target)
      else if (existsSync(join(dirname(file), target))) files.add(join(dirname(file), target))
    }
  }
  return packages
}

// duties.ts is loaded by whoever is no worker.
for (const [program, common] of [
  ['cli/serve.ts', 'prom-client'],
  ['cli/run-worker.ts', 'prom-client'],
  ['duties.ts', 'zod'],
] as const)
  t.test(`${program} starts without the libraries of rare work`, async t => {
    const packages = packagesOf(program)
    t.ok(packages.has(common), 'imports are followed')
    t.same(
      rare.filter(name => packages.has(name)),
      [],
    )
  })
