/**
 * Finds the OHIF viewer that is installed here, and the path that it was built for. It reads, and makes nothing.
 *
 * Not to forget: nginx puts a page of its own into the folder where the image has its viewer; what is no page of OHIF is
 * no viewer, and is never served.
 */
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { isPublicPath, publicUrlOf } from '../viewer/public-path.ts'
import type { Problem } from './ohif-settings.ts'
import { shownPath } from './shown-path.ts'

export interface FoundViewer {
  readonly root: string
  /** The path that it is served under, as it was built. */
  readonly base: string
}

/** Containers work in the root folder, where every path would be shown as a relative one. */
const placeName = (root: string): string => (process.cwd() === '/' ? root : shownPath(root))

/** Where `viewer install` puts it, then where the image has it. */
const places = (publicUrl: string | undefined): string[] => [
  ...new Set([
    resolve('state/ohif'),
    resolve('/usr/share/nginx/html', `.${publicUrl ?? '/'}`),
    '/usr/share/nginx/html',
  ]),
]

/** @param publicUrl  what is asked for; undefined: what the viewer was built for */
export async function findViewer(publicUrl: string | undefined): Promise<FoundViewer | Problem> {
  const looked: string[] = []
  for (const root of places(publicUrl)) {
    const page = await readFile(join(root, 'index.html'), 'utf8').catch(asReason)
    const built = typeof page === 'string' ? publicUrlOf(page) : undefined
    if (built !== undefined) return judge(root, built, publicUrl)
    looked.push(`${placeName(root)} (${typeof page === 'string' ? 'a page that is not of OHIF' : page.reason})`)
  }
  return {
    text: `no OHIF viewer is installed; looked in ${looked.join(', ')}`,
    cure: 'sallyport viewer install puts it into state/ohif of this folder',
  }
}

function judge(root: string, built: string, asked: string | undefined): FoundViewer | Problem {
  if (!isPublicPath(built)) {
    return {
      text: `the viewer in ${placeName(root)} was built for ${JSON.stringify(built)}, which is no path of this server`,
      cure: 'install one that was built with a PUBLIC_URL such as / or /ohif/',
    }
  }
  if (asked === undefined || asked === built) return { root, base: built }
  return {
    text: `PUBLIC_URL is ${asked}, and the viewer in ${placeName(root)} was built for ${built}: that is baked in and cannot be changed`,
    cure: `unset PUBLIC_URL, or install a viewer that was built with PUBLIC_URL=${asked}`,
  }
}

function asReason(cause: unknown): { reason: string } {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'ENOENT' || code === 'ENOTDIR') return { reason: 'nothing there' }
  if (code === 'EACCES') return { reason: 'closed to this account' }
  throw cause
}

const unpack = promisify(gunzip)

/** The servers that the settings in the viewer's own folder ask for images; none when they name this server's paths. */
export async function ownSources(root: string): Promise<string[]> {
  const file = join(root, 'app-config.js')
  const plain = await readFile(file).catch(() => Buffer.alloc(0)) // what is missing names nobody
  const packed = plain.length > 0 ? undefined : await readFile(`${file}.gz`).catch(() => undefined)
  const text = (packed === undefined ? plain : await unpack(packed)).toString('utf8')
  const named = text.matchAll(/\b(?:qidoRoot|wadoRoot|wadoUriRoot)\b['"]?\s*:\s*['"`](https?:\/\/[^/'"`\s]+)/g)
  return [...new Set([...named].map(([, origin = '']) => origin))]
}
