/**
 * A folder with a small viewer in it, and `serve` in that folder with the variables of the OHIF image.
 *
 * The viewer is one page and a few files, because most of what is asked here has nothing to do with OHIF itself.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Test } from 'tap'
import { freePorts } from '../../src/demo/free-port.ts'
import { type RunningCommand, runCommand, startCommand } from '../fixture/command.ts'

export interface Place {
  readonly dir: string
  file(path: string): string
  put(path: string, content: string | Buffer): string
}

export const script = `console.log(${JSON.stringify('ohif '.repeat(1000))})\n`
export const pageFor = (base: string) =>
  `<!doctype html><script>window.PUBLIC_URL="${base}"</script><script src="${base}app.bundle.0f6159c501addfe9.js"></script>`

/** @param base  what the viewer was built for */
export function makePlace(t: Pick<Test, 'teardown'>, base: string | 'no viewer' = '/'): Place {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-ohif-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const file = (path: string) => join(dir, path)
  const put = (path: string, content: string | Buffer) => {
    mkdirSync(dirname(file(path)), { recursive: true })
    writeFileSync(file(path), content)
    return file(path)
  }
  if (base !== 'no viewer') putViewer(put, 'state/ohif', base)
  return { dir, file, put }
}

/** A viewer as the image has it: its scripts are empty, and lie packed beside themselves. */
export function putViewer(put: Place['put'], folder: string, base: string): void {
  put(`${folder}/index.html`, pageFor(base))
  put(
    'state/ohif/app-config.js',
    'window.config = { dataSources: [{ qidoRoot: "https://cloud.example.org/dicomweb" }] }',
  )
  put(`${folder}/sw.js`, 'self')
  put(`${folder}/assets/logo.svg`, '<svg xmlns="http://www.w3.org/2000/svg"/>')
  put(`${folder}/0ddf166f7a343eda.wasm`, Buffer.alloc(2048, 7))
  put(`${folder}/app.bundle.0f6159c501addfe9.js`, '')
  put(`${folder}/app.bundle.0f6159c501addfe9.js.gz`, gzipSync(script))
  put(`${folder}/dicom-microscopy-viewer/lib.js`, script)
}

/** The command of the OHIF documents, with its questions answered: the address as the common name, no SAN. */
export function selfSigned({ dir, file }: Place, name = 'self-signed', more: readonly string[] = []) {
  const pair = { certificate: file(`${name}.crt`), key: file(`${name}-private.key`) }
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-nodes', '-days', '365', '-newkey', 'rsa:2048'],
      ...[
        '-keyout',
        pair.key,
        '-out',
        pair.certificate,
        '-subj',
        '/C=AU/ST=Some-State/O=Internet Widgits/CN=127.0.0.1',
      ],
      ...more,
    ],
    { cwd: dir, stdio: 'pipe' },
  )
  return pair
}

/** Variables of the image that may stand in the environment of whoever runs the tests. */
export const blank = Object.fromEntries(
  [
    'APP_CONFIG',
    'PUBLIC_URL',
    'CSP_HEADER',
    'CLIENT_ID',
    'HEALTHCARE_API_ENDPOINT',
    'SSL_CERTIFICATE',
    'SSL_CERTIFICATE_KEY',
  ].map(name => [name, '']),
)

export const freePort = async (): Promise<number> => (await freePorts(1, '::'))[0] ?? 0

/** Runs `serve` to its end: for what it refuses. */
export const serveOnce = ({ dir }: Place, env: NodeJS.ProcessEnv) =>
  runCommand(['serve'], { cwd: dir, env: { ...blank, ...env } })

export interface ServedPlace extends RunningCommand {
  readonly port: number
}

/** @param variable  which of the two names the port */
export async function serveThere(
  t: Pick<Test, 'teardown'>,
  { dir }: Place,
  variable: 'SSL_PORT' | 'PORT',
  env: NodeJS.ProcessEnv = {},
): Promise<ServedPlace> {
  const port = await freePort()
  const running = startCommand(t, ['serve'], { cwd: dir, env: { ...blank, ...env, [variable]: String(port) } })
  await running.shows(new RegExp(`^listening https?://\\[::\\]:${port} \\(web\\)$`, 'm'))
  return { ...running, port }
}
