/**
 * Starts auth-server.ts beside a gateway that asks it, on the same processors, and signs in there.
 */
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Ground } from '../ground.ts'
import { coresFor } from '../processes.ts'
import { basicOf, type Job, launch } from './target.ts'

export interface Beside {
  readonly port: number
  readonly pid: number
  readonly headers: Readonly<Record<string, string>>
}

/** Undefined where nobody needs it. */
export async function besideServer(
  t: Pick<Test, 'teardown'>,
  ground: Ground,
  { auth, workers }: Job,
): Promise<Beside | undefined> {
  if (auth !== 'session' && auth !== 'basic') return undefined
  const { slapd, person } = ground
  if (slapd === undefined) throw new Error('sessions and Basic need the directory')
  const program = join(import.meta.dirname, 'auth-server.ts')
  const { port, pid } = await launch(t, {
    ...{ name: 'auth-server', cores: coresFor(workers).gateway, cwd: ground.folder('auth-server') },
    command: port => [process.execPath, program, String(port), slapd.url, slapd.peopleDn],
  })
  const authorization = basicOf(person)
  if (auth === 'basic') return { port, pid, headers: { authorization } }
  const answer = await fetch(`http://127.0.0.1:${port}/login`, { method: 'POST', headers: { authorization } })
  const cookie = answer.headers.get('set-cookie')?.split(';')[0]
  if (answer.status !== 200 || cookie === undefined)
    throw new Error(`signing in at the server beside: ${answer.status}`)
  return { port, pid, headers: { cookie } }
}
