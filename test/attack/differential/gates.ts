/**
 * The gates that the same bytes are sent to: sallyport, http-proxy and nginx, each in a process of its own in front of
 * the same upstream, each telling what it has judged.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import type { Test } from 'tap'
import { answers } from '../../fixture/answers.ts'
import { startAuthority } from '../../fixture/authority.ts'
import { startCommand } from '../../fixture/command.ts'
import { makeSite, serveSite } from '../../fixture/site.ts'
import type { Upstream } from '../../fixture/upstream.ts'
import type { Door } from './http1-connection.ts'
import type { Authorised } from './oracle.ts'

export interface Gate extends Door {
  readonly name: 'sallyport' | 'http-proxy' | 'nginx'
  readonly http2: boolean
  /** Milliseconds in which it has told of everything that it has judged; what it never tells of takes as long. */
  readonly tells: number
  /** What it has judged since the last call, by X-Request-Id. */
  judged(): ReadonlyMap<string, Authorised>
  /** Whether the path that was judged is the one of this request target. */
  samePath(judged: string, target: string): boolean
  /** Crashes and bugs since the last call, in words; a crashed gate is started again. */
  faults(): Promise<readonly string[]>
}

type Lines = () => readonly Record<string, unknown>[]

/** New lines of JSON at each call; what is no whole line yet waits for the next. */
function newLines(whole: () => string): Lines {
  let from = 0
  return () => {
    const text = whole()
    const end = text.lastIndexOf('\n') + 1
    const lines = text.slice(Math.min(from, end), end).split('\n')
    from = Math.max(from, end)
    return lines.filter(line => line.startsWith('{')).map(line => JSON.parse(line) as Record<string, unknown>) // our own programs write objects
  }
}

const authorisedBy = (lines: readonly Record<string, unknown>[]): ReadonlyMap<string, Authorised> =>
  new Map(lines.map(({ id, method, path }) => [String(id), { method: String(method), path: String(path) }]))

const withoutQuery = (target: string): string => target.replace(/\?[\s\S]*$/, '')

export async function startSallyport(t: Pick<Test, 'teardown'>, upstream: Upstream): Promise<Gate> {
  const site = await makeSite(t, {
    // Node does not always see that a client has gone while it writes to it: what cuts the exchange then is this limit.
    listener: 'limits: { idle: 2 s }',
    yaml: `upstreams: { app: { kind: generic, url: "${upstream.url}" } }\nroutes: [{ path: /, upstream: app, access: everyone }]`,
  })
  const served = await serveSite(t, site)
  const lines = newLines(served.stderr)
  const bugs: string[] = []
  let ended = false
  void served.ended.then(() => {
    ended = true
  })
  return {
    name: 'sallyport',
    http2: true,
    tells: 10_000,
    port: served.port,
    host: `localhost:${served.port}`,
    trust: createSecureContext({ ca: site.authority.caPem }),
    judged() {
      const news = lines()
      bugs.push(
        ...news.filter(({ fault, level }) => fault === 'bug' || Number(level) >= 50).map(line => JSON.stringify(line)),
      )
      return authorisedBy(
        news.filter(({ msg, denied, path }) => msg === 'exchange' && denied === undefined && path !== undefined),
      )
    },
    samePath: (judged, target) => judged === withoutQuery(target),
    async faults() {
      if (!ended) return bugs.splice(0)
      const { exitCode, signal, stdout, stderr } = await served.ended
      const words = stderr.split('\n').filter(line => !line.includes('"msg":"exchange"'))
      return [`it ended with ${exitCode ?? signal}: ${stdout}${words.slice(-20).join('\n')}`]
    },
  }
}

export async function startHttpProxy(t: Pick<Test, 'teardown'>, upstream: Upstream): Promise<Gate> {
  const authority = await startAuthority(t)
  const { certFile, keyFile } = await authority.server(['localhost'], ['127.0.0.1'])
  const file = join(import.meta.dirname, 'http-proxy-gate.ts')
  const crashes: string[] = []
  const told: Lines[] = []
  let port = 0
  const start = async (): Promise<void> => {
    const running = startCommand(t, [String(upstream.port), certFile, keyFile], { file })
    port = Number((await running.shows(/^listening (\d+)$/m))[1])
    told.push(newLines(running.stdout))
    void running.ended.then(({ signal, stderr }) => {
      if (signal === 'SIGKILL') return // the test is over
      crashes.push(`it ended: ${/^\w*Error.*$/m.exec(stderr)?.[0]}`)
      return start().catch(() => undefined) // the test ended meanwhile, or nobody answers, which is counted
    })
  }
  await start()
  return {
    name: 'http-proxy',
    http2: false,
    tells: 500,
    get port() {
      return port
    },
    get host() {
      return `localhost:${port}`
    },
    trust: createSecureContext({ ca: authority.caPem }),
    judged: () => new Map(told.flatMap(lines => [...authorisedBy(lines())])),
    samePath: (judged, target) => judged === target,
    faults: async () => crashes.splice(0),
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  return address === null || typeof address === 'string' ? 0 : address.port
}

export async function startNginx(t: Pick<Test, 'teardown'>, upstream: Upstream): Promise<Gate> {
  const authority = await startAuthority(t)
  const { certFile, keyFile } = await authority.server(['localhost'], ['127.0.0.1'])
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-nginx-'))
  const port = await freePort()
  const log = join(dir, 'access.log')
  writeFileSync(log, '')
  writeFileSync(
    join(dir, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${dir}/pid; error_log ${dir}/error.log crit;${process.getuid?.() === 0 ? ' user root;' : ''}
events { worker_connections 1024; }
http {
  log_format judged escape=json '{"id":"$request_id","method":"$request_method","path":"$uri"}';
  access_log ${log} judged;
  client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi; scgi_temp_path ${dir}/scgi;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  upstream app { server 127.0.0.1:${upstream.port}; keepalive 16; }
  server {
    listen 127.0.0.1:${port} ssl http2;
    server_name localhost;
    ssl_certificate ${certFile}; ssl_certificate_key ${keyFile};
    location / {
      proxy_pass http://app; proxy_http_version 1.1; proxy_next_upstream off;
      proxy_set_header Host $http_host; proxy_set_header X-Request-Id $request_id;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto https;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    }
  }
}
`,
  )
  const child = spawn('nginx', ['-c', join(dir, 'nginx.conf'), '-e', join(dir, 'error.log')], { stdio: 'ignore' })
  let ended = false
  const gone = new Promise<void>(resolve =>
    child.once('exit', () => {
      ended = true
      resolve()
    }),
  )
  t.teardown(async () => {
    child.kill()
    await gone
    rmSync(dir, { recursive: true, force: true })
  })
  for (let tries = 0; !(await answers(port)); tries++) {
    if (tries > 200) throw new Error(`nginx does not answer: ${readFileSync(join(dir, 'error.log'), 'utf8')}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  const lines = newLines(() => readFileSync(log, 'latin1'))
  const decoded = (path: string) =>
    path.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
  return {
    name: 'nginx',
    http2: true,
    tells: 500,
    port,
    host: `localhost:${port}`,
    trust: createSecureContext({ ca: authority.caPem }),
    judged: () => authorisedBy(lines()),
    // Its rules see the path decoded, and without dot segments and doubled slashes.
    samePath: (judged, target) => judged === decoded(withoutQuery(target)),
    faults: async () =>
      ended
        ? ['it ended']
        : readFileSync(join(dir, 'error.log'), 'utf8')
            .split('\n')
            .filter(line => /signal \d|exited/.test(line)),
  }
}
