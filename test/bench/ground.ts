/**
 * What all gateways of one run stand on: certificates, a directory, the upstreams, the folder of their files.
 *
 * The upstreams are nginx in plain HTTP (files) and a sink for uploads, both off the processors of the gateway.
 */
import { createHash, randomBytes } from 'node:crypto'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import { startAuthority, type TestAuthority, type TestClient, type TestPair } from '../fixture/authority.ts'
import { type Slapd, startSlapd } from '../fixture/slapd.ts'
import { coresFor } from './processes.ts'
import { launch } from './targets/target.ts'

/** The frame of 512 KB once more, where DICOMweb has it: what a cache of frames may keep. */
export const framePath = '/studies/1.2/series/1.3/instances/1.4/frames/1'
/** What is asked for: path -> bytes. */
export const bodySizes = {
  ...{ '/1k': 1024, '/512k': 512 * 1024, '/200m': 200 * 1024 * 1024 },
  [framePath]: 512 * 1024,
} as const
export type BodyPath = keyof typeof bodySizes
export const uploadSize = 50 * 1024 * 1024

export interface Ground {
  readonly dir: string
  readonly authority: TestAuthority
  readonly server: TestPair
  /** The certificate of the person, and one PEM file with it, its chain and its key. */
  readonly client: TestClient & { readonly combinedFile: string }
  /** Somebody of the directory, and of the local accounts. */
  readonly person: { readonly uid: string; readonly password: string }
  readonly slapd: Slapd | undefined
  /** Port of the files, port of the sink. */
  readonly files: number
  readonly sink: number
  /** SHA-256 in hexadecimal of what is there. */
  readonly hashes: Readonly<Record<'/1k' | '/512k', string>>
  readonly uploadFile: string
  /** Of the upstreams. The directory is asked once for a minute or longer, and its processor is nobody's. */
  readonly pids: readonly number[]
  /** A new folder for the files of one gateway. */
  folder(name: string): string
}

/** The user of nginx must read what we write in folders of our own. */
export const asRoot = process.getuid?.() === 0 ? 'user root;' : ''

/** The folders that nginx would else look for in places of the system. */
export const nginxTemp = (dir: string): string =>
  ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(kind => `${kind}_temp_path ${join(dir, kind)};`).join(' ')

const filesConfiguration = (dir: string, port: number) => `daemon off; worker_processes 1; pid ${dir}/pid; ${asRoot}
error_log ${dir}/error.log warn;
events { worker_connections 8192; }
http {
  access_log off; ${nginxTemp(dir)}
  sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 300s;
  open_file_cache max=100; etag off;
  types { } default_type application/json;
  server {
    listen 127.0.0.1:${port} backlog=4096; root ${dir}/www;
    location /studies/ { default_type application/octet-stream; }
  }
}
`

/** Random bytes, so that nothing can be compressed away; a mebibyte of them again and again. */
function writeFiller(file: string, size: number): void {
  const block = randomBytes(2 ** 20)
  const open = openSync(file, 'w')
  for (let written = 0; written < size; written += block.length) writeSync(open, block)
  closeSync(open)
}

function writeBodies(www: string): Ground['hashes'] {
  mkdirSync(www)
  writeFiller(join(www, '200m'), bodySizes['/200m'])
  const [json, frame] = [Buffer.from(`{"filler":"${'x'.repeat(1024 - 13)}"}`), randomBytes(bodySizes['/512k'])]
  writeFileSync(join(www, '1k'), json)
  writeFileSync(join(www, '512k'), frame)
  mkdirSync(dirname(join(www, framePath)), { recursive: true })
  writeFileSync(join(www, framePath), frame)
  const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
  return { '/1k': hash(json), '/512k': hash(frame) }
}

/** Call requireReal first: nginx, taskset, and slapd if `directory`. */
export async function layGround(t: Pick<Test, 'teardown'>, { directory }: { directory: boolean }): Promise<Ground> {
  const authority = await startAuthority(t)
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-bench-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }))
  let folders = 0
  const folder = (name: string) => {
    const made = join(dir, `${name}-${++folders}`)
    mkdirSync(made)
    return made
  }
  const server = await authority.server(['localhost'], ['127.0.0.1'])
  const client = await authority.client('alice')
  const combinedFile = join(dir, 'client.pem')
  writeFileSync(combinedFile, `${client.chainPem}\n${client.keyPem}`, { mode: 0o600 })
  const slapd = directory ? await startSlapd(t) : undefined
  const { uid, password } = slapd?.people.alice ?? { uid: 'alice', password: randomBytes(12).toString('base64url') }

  const [home, cores] = [folder('upstream'), coresFor(1).rest]
  const hashes = writeBodies(join(home, 'www'))
  const uploadFile = join(home, 'upload')
  writeFiller(uploadFile, uploadSize)
  const files = await launch(t, {
    ...{ name: 'files', cores, cwd: home },
    command: port => {
      writeFileSync(join(home, 'nginx.conf'), filesConfiguration(home, port))
      return ['/usr/sbin/nginx', '-c', join(home, 'nginx.conf'), '-e', 'stderr']
    },
  })
  const sink = await launch(t, {
    ...{ name: 'sink', cores, cwd: home },
    command: port => [process.execPath, join(import.meta.dirname, 'upload-sink.ts'), String(port)],
  })
  return {
    ...{ dir, authority, server, client: { ...client, combinedFile }, person: { uid, password }, slapd },
    ...{ files: files.port, sink: sink.port, hashes, uploadFile, pids: [files.pid, sink.pid], folder },
  }
}
