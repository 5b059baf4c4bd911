/**
 * npm as an operator runs it, in a folder of its own.
 *
 * Not to forget: where the registry cannot be reached that is a skip at home, and a failure where REQUIRE_REAL=1.
 */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import type { Verdict } from '../fixture/real.ts'

const unreachable = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|E40[37]|E5\d\d)\b/

/** npm's settings for a run under npm are not an operator's. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(INIT_CWD|npm_(package|lifecycle)_.*)$/.test(name)),
)

/** Without NODE_OPTIONS, which tap gives to every process of a test, and which breaks the compiler. */
export const command = (cwd: string, ...args: string[]): SpawnSyncReturns<string> =>
  spawnSync('env', ['-u', 'NODE_OPTIONS', ...args], { cwd, env, encoding: 'utf8' })

export const npm = (cwd: string, ...args: string[]): SpawnSyncReturns<string> =>
  command(cwd, 'npm', ...args, '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error')

/** `npm install` or `npm ci` with whatever else; true if it went well, else it has been told why not. */
export function installs(t: Verdict, cwd: string, ...args: string[]): boolean {
  const patience = ['--fetch-retries=1', '--fetch-retry-mintimeout=1000', '--fetch-timeout=20000']
  const { status, stderr } = npm(cwd, ...args, '--prefer-offline', ...patience)
  if (status === 0) return true
  const reason = 'needs the npm registry'
  if (unreachable.test(stderr) && process.env['REQUIRE_REAL'] !== '1') t.pass(reason, { skip: reason })
  else t.fail(`npm ${args.join(' ')}: ${stderr}`)
  return false
}
