/**
 * `serve` as a container runs it: the folders of the OHIF image at their fixed paths, all else read-only, uid 101.
 *
 * There is no container engine here; a mount namespace of its own shows the child what a container would. Not to
 * forget: it needs root, and nginx's folder to mount over.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync } from 'node:fs'
import type { Test } from 'tap'
import { runCommand, startCommand } from '../fixture/command.ts'
import { requireReal, requireRoot, type Verdict } from '../fixture/real.ts'
import { blank, freePort, type Place, type ServedPlace } from './ohif-place.ts'

function canMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false // there is no other way to ask
  }
}

/** Whether this machine can do it. */
export const requireContainer = (t: Verdict): boolean =>
  requireReal(t, ['unshare', 'setpriv', 'openssl', '/usr/bin/curl', '/usr/share/nginx/html']) &&
  requireRoot(t, 'mounts') &&
  requireReal(t, canMount() ? [] : ['a mount namespace'])

const wrapper = `#!/bin/sh
exec unshare --mount --propagation private sh -ec '
  mount --bind "$IMAGE/html" /usr/share/nginx/html
  mount --bind "$IMAGE/certs" /etc/ssl/certs
  mount --bind "$IMAGE/private" /etc/ssl/private
  mount -o remount,bind,ro /
  cd /
  exec setpriv --reuid=101 --regid=101 --clear-groups --pdeathsig KILL "$@"
' "$0" "$NODE_OF_TEST" "$@"
`

/** The image's folders, below `place`: html (the viewer), certs and private. */
export function makeImage(place: Place): void {
  for (const folder of ['html', 'certs', 'private']) {
    mkdirSync(place.file(`image/${folder}`), { recursive: true })
    chmodSync(place.file(`image/${folder}`), 0o755)
  }
}

function surroundings(place: Place, env: NodeJS.ProcessEnv) {
  const node = place.put('container.sh', wrapper)
  chmodSync(node, 0o755)
  return { cwd: place.dir, node, env: { ...blank, ...env, IMAGE: place.file('image'), NODE_OF_TEST: process.execPath } }
}

export const runContainer = (place: Place, env: NodeJS.ProcessEnv) => runCommand(['serve'], surroundings(place, env))

export async function startContainer(
  t: Pick<Test, 'teardown'>,
  place: Place,
  variable: 'SSL_PORT' | 'PORT',
  env: NodeJS.ProcessEnv = {},
): Promise<ServedPlace> {
  const port = await freePort()
  const running = startCommand(t, ['serve'], surroundings(place, { ...env, [variable]: String(port) }))
  await running.shows(new RegExp(`^listening https?://\\[::\\]:${port} \\(web\\)$`, 'm'))
  return { ...running, port }
}
