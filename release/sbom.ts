/**
 * Writes sbom.cdx.json beside package.json: what is installed with the package, in CycloneDX, from the lock file.
 *
 * Not to forget: `npm sbom --omit dev` leaves out whatever a development tool needs too (npm 11.19: tar, yaml, yargs and all
 * below them), and names the package after its folder. So npm gets to see a folder of the right name without such tools.
 * The same lock gives the same bytes: the random number and the time that npm writes are taken out, which the standard
 * does not ask for.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const home = resolve(import.meta.dirname, '..')
const read = (name: string) => JSON.parse(readFileSync(join(home, name), 'utf8'))

const scratch = mkdtempSync(join(tmpdir(), 'sallyport-sbom-'))
try {
  const { devDependencies, ...manifest } = read('package.json')
  const { packages, ...lock } = read('package-lock.json')
  const shipped = Object.fromEntries(
    Object.entries<{ dev?: true; devDependencies?: object }>(packages)
      .filter(([, { dev }]) => dev !== true)
      .map(([path, { devDependencies, ...entry }]) => [path, entry]),
  )
  const folder = join(scratch, manifest.name)
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ ...lock, packages: shipped }))
  const made = execFileSync(
    'npm',
    ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only'],
    {
      cwd: folder,
      encoding: 'utf8',
    },
  )
  const { serialNumber, ...bill } = JSON.parse(made)
  delete bill.metadata.timestamp
  writeFileSync(join(home, 'sbom.cdx.json'), `${JSON.stringify(bill, null, 2)}\n`)
} finally {
  rmSync(scratch, { recursive: true })
}
