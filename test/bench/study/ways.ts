/**
 * The ways to a study: Orthanc itself, nginx with and without a cache, sallyport with what its configuration accepts.
 *
 * nginx and sallyport are as somebody would set them up who has read their manuals; nobody is pinned, all share the machine.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { parseConfig } from '../../../src/config/load.ts'
import { signIn, textOf } from '../../cli/signed-in.ts'
import { writeAccounts } from '../../fixture/accounts.ts'
import type { TestAuthority, TestPair } from '../../fixture/authority.ts'
import { askSite } from '../../fixture/site.ts'
import { asRoot, nginxTemp } from '../ground.ts'
import { program } from '../targets/sallyport.ts'
import { launch, suite } from '../targets/target.ts'

export interface StudyGround {
  readonly dir: string
  readonly authority: TestAuthority
  readonly server: TestPair
  readonly orthanc: { readonly url: string; readonly port: number }
  /** The built viewer. */
  readonly viewer: string
}

export interface Way {
  readonly origin: string
  readonly port: number
  readonly headers: Readonly<Record<string, string>>
  readonly pids: readonly number[]
  /** What it logged last, for a failure. Absent: nobody keeps it. */
  readonly log?: () => string
}

type T = Pick<Test, 'teardown'>
const person = { uid: 'alice', password: 'alice pass-word' }
let folders = 0

function folder({ dir }: StudyGround, name: string): string {
  const made = join(dir, `${name}-${++folders}`)
  mkdirSync(made)
  return made
}

const sallyportText = ({ server, orthanc, viewer }: StudyGround, port: number, settings: string) => `
listeners:
  web:
    bind: 127.0.0.1:${port}
    keystore: { certificate: ${server.certFile}, key: ${server.keyFile} }
realms: { local: { file: users.yaml } }
upstreams:
  orthanc: { kind: orthanc, url: "${orthanc.url}"${settings && `, ${settings}`} }
  viewer: { kind: ohif, root: ${viewer} }
routes:
  - { path: /, upstream: viewer, access: authenticated }
  - { path: /dicom-web, upstream: orthanc, access: authenticated }
`

/** Why sallyport does not take these settings of an upstream; undefined: it does. */
export function refusal(ground: StudyGround, settings: string): string | undefined {
  const asked = parseConfig(sallyportText(ground, 1, settings), ground.dir)
  return asked.ok ? undefined : asked.problems.map(({ message }) => message).join('; ')
}

/** @param settings  YAML inside the upstream Orthanc */
export async function throughSallyport(t: T, ground: StudyGround, settings = ''): Promise<Way> {
  const dir = folder(ground, 'sallyport')
  writeAccounts(join(dir, 'users.yaml'), { [person.uid]: { password: person.password } }, Date.now())
  const { port, pid, log } = await launch(t, {
    ...{ name: 'sallyport', ca: ground.authority.caPem, cwd: dir },
    command: port => {
      writeFileSync(join(dir, 'sallyport.yaml'), sallyportText(ground, port, settings))
      return [process.execPath, program, 'serve', '--config', join(dir, 'sallyport.yaml')]
    },
  })
  const origin = `https://localhost:${port}`
  const cookie = await signIn(ground, { port, url: origin }, person.uid, person.password)
  return { origin, port, headers: { cookie }, pids: [pid], log }
}

interface NginxTerms {
  readonly dir: string
  readonly ground: StudyGround
  readonly port: number
  readonly cache: boolean
}

const nginxText = ({
  dir,
  ground,
  port,
  cache,
}: NginxTerms) => `daemon off; worker_processes auto; pid ${dir}/pid; ${asRoot}
error_log ${dir}/error.log warn;
events { worker_connections 1024; }
http {
  include /etc/nginx/mime.types; default_type application/octet-stream;
  access_log ${dir}/access.log combined; ${nginxTemp(dir)}
  sendfile on; client_max_body_size 0;
  upstream orthanc { server 127.0.0.1:${ground.orthanc.port}; keepalive 40; }
  ${cache ? `proxy_cache_path ${dir}/cache levels=1:2 keys_zone=frames:10m max_size=2g inactive=1h use_temp_path=off;` : ''}
  server {
    listen 127.0.0.1:${port} ssl http2; server_name localhost;
    ssl_certificate ${ground.server.certFile}; ssl_certificate_key ${ground.server.keyFile};
    ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites ${suite};
    root ${ground.viewer};
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto https;
    location = /app-config.js { alias ${dir}/app-config.js; }
    location / { try_files $uri /index.html; }
    location /dicom-web/ { proxy_pass http://orthanc; }
    ${
      cache
        ? `location ~ ^/dicom-web/.*/frames/ {
      proxy_pass http://orthanc; proxy_cache frames; proxy_cache_valid 200 1h;
      proxy_cache_key $request_uri|$http_accept|$http_accept_encoding;
    }`
        : ''
    }
  }
}
`

export async function throughNginx(t: T, ground: StudyGround, cache: boolean): Promise<Way> {
  const dir = folder(ground, 'nginx')
  // What sallyport makes for the viewer: this origin's own DICOMweb.
  await using parts = new AsyncDisposableStack()
  const passing = { teardown: (undo: () => unknown) => parts.defer(async () => void (await undo())) }
  const { origin: gate, headers, port: gatePort } = await throughSallyport(passing, ground)
  writeFileSync(
    join(dir, 'app-config.js'),
    await textAt(ground, { origin: gate, headers, port: gatePort }, '/app-config.js'),
  )
  const { port, pid, log } = await launch(t, {
    ...{ name: 'nginx', ca: ground.authority.caPem, cwd: dir },
    command: port => {
      writeFileSync(join(dir, 'nginx.conf'), nginxText({ dir, ground, port, cache }))
      return ['/usr/sbin/nginx', '-c', join(dir, 'nginx.conf'), '-e', 'stderr']
    },
  })
  return { origin: `https://localhost:${port}`, port, headers: {}, pids: [pid], log }
}

async function textAt(
  ground: StudyGround,
  way: Pick<Way, 'origin' | 'headers' | 'port'>,
  path: string,
): Promise<string> {
  const answer = await askSite(ground, way, path, { headers: way.headers })
  const text = await textOf(answer)
  if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode} ${text.slice(0, 200)}`)
  return text
}

export const direct = ({ orthanc }: StudyGround): Way => ({
  origin: orthanc.url,
  port: orthanc.port,
  headers: {},
  pids: [],
})
