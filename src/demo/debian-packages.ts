/**
 * Installs Debian packages by apt, quietly, without starting what is in them. For the demo and for the tests.
 *
 * Does nothing where it cannot (not root, no apt-get): the caller says what is missing. Not to forget: a package must not
 * start its daemon on this machine, so while apt runs a policy-rc.d forbids it.
 *
 * Source: apt-get(8); Debian policy 9.3.3 and invoke-rc.d(8) for policy-rc.d (101: forbidden).
 */
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const onPath = (name: string) => (process.env['PATH'] ?? '').split(delimiter).some(dir => existsSync(join(dir, name)))

/** Of these packages, those that are not installed; all of them where there is no dpkg. */
export function missingPackages(wanted: readonly string[]): string[] {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const form = '${Package} ${db:Status-Status}\n'
  // It fails if one is unknown, and still lists the others.
  const known = spawnSync('dpkg-query', ['-W', '-f', form, ...wanted], { encoding: 'utf8' })
  const lines = (known.stdout ?? '').split('\n')
  return wanted.filter(name => !lines.includes(`${name} installed`))
}

/** True if it went well; what the command printed is shown only if it did not. */
function step(say: Say, command: string, args: readonly string[]): boolean {
  say(`${command} ${args.filter(arg => !arg.startsWith('-')).join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  // Another apt may be at work; wait for it rather than fail.
  const all = ['-o', 'DPkg::Lock::Timeout=300', '-q', '-y', ...args]
  const run = spawnSync(command, all, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 26 })
  if (run.status === 0) return true
  say(`${run.stdout ?? ''}${run.stderr ?? ''}${command} failed (${run.error?.message ?? `exit code ${run.status}`})`)
  return false
}

function withoutDaemons<T>(work: () => T): T {
  const policy = '/usr/sbin/policy-rc.d'
  // One that is already there has its own say.
  if (existsSync(policy)) return work()
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    return work()
  } finally {
    rmSync(policy, { force: true })
  }
}

export type Say = (line: string) => void

/** @returns what is still missing afterwards */
export function installDebianPackages(wanted: readonly string[], say: Say): string[] {
  const missing = missingPackages(wanted)
  if (missing.length === 0 || process.getuid?.() !== 0 || !onPath('apt-get')) return missing
  withoutDaemons(
    () => step(say, 'apt-get', ['update']) && step(say, 'apt-get', ['install', '--no-install-recommends', ...missing]),
  )
  return missingPackages(wanted)
}
