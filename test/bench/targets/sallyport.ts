/**
 * sallyport from this checkout as its own process, `log` as it is when nothing is said: a line for each exchange, to a file.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { parseConfig } from '../../../src/config/load.ts'
import { signIn } from '../../cli/signed-in.ts'
import { writeAccounts } from '../../fixture/accounts.ts'
import type { Ground } from '../ground.ts'
import { coresFor } from '../processes.ts'
import { basicOf, type Job, launch, type Running, type Target } from './target.ts'

export const program = join(import.meta.dirname, '..', '..', '..', 'bin', 'sallyport.js')

const directory = ({ slapd }: Ground) =>
  slapd === undefined
    ? ''
    : `  directory:
    enabled: true
    urls: ["${slapd.url}"]
    username: "${slapd.reader.dn}"
    password: { file: reader }
    base: ${slapd.base}
    userMapping: omeName=uid
    newUserGroup: ":query:(member=@{dn})"`

const configuration = (ground: Ground, { auth, workers }: Job, port: number) => `workers: ${workers}
listeners:
  web:
    bind: 127.0.0.1:${port}
    keystore: { certificate: ${ground.server.certFile}, key: ${ground.server.keyFile} }
    tls: { minimum: 1.3 }
    ${auth === 'certificate' ? `clients: { certificate: required, truststore: ${ground.authority.caFile} }` : ''}
realms:
  basic: ${auth === 'basic'}
  local: { file: users.yaml }
${auth === 'basic' ? directory(ground) : ''}
upstreams:
  files: { kind: generic, url: "http://127.0.0.1:${ground.files}" }
  sink: { kind: generic, url: "http://127.0.0.1:${ground.sink}" }
  frames: { kind: orthanc, url: "http://127.0.0.1:${ground.files}", cache: { memory: 64 MB } }
routes:
  - { path: /, upstream: files, access: ${auth === 'off' ? 'everyone' : 'authenticated'} }
  - { path: /upload, upstream: sink, access: ${auth === 'off' ? 'everyone' : 'authenticated'} }
  - { path: /studies, upstream: frames, access: ${auth === 'off' ? 'everyone' : 'authenticated'} }
`

export const sallyport = (nodeOptions: readonly string[] = []): Target => ({
  name: 'sallyport',
  packages: {},
  warmUp: 6,
  cannot({ auth, workers }, scenario) {
    if (auth === 'certificate' && scenario === 'handshake-resumed')
      return 'nothing is resumed where certificates are asked for, on purpose'
    const asked = parseConfig(`workers: ${workers}\nlisteners: {}`, '/')
    const problem = asked.ok ? undefined : asked.problems.find(({ path }) => path[0] === 'workers')
    return problem?.message
  },
  start: (t, ground, job) => start(t, ground, job, nodeOptions),
})

async function start(
  t: Pick<Test, 'teardown'>,
  ground: Ground,
  job: Job,
  nodeOptions: readonly string[],
): Promise<Running> {
  const dir = ground.folder('sallyport')
  if (ground.slapd !== undefined) writeFileSync(join(dir, 'reader'), ground.slapd.reader.password, { mode: 0o600 })
  const { uid, password } = ground.person
  if (job.auth === 'session') writeAccounts(join(dir, 'users.yaml'), { [uid]: { password } }, Date.now())
  const { port, pid, log } = await launch(t, {
    ...{ name: 'sallyport', cores: coresFor(job.workers).gateway, ca: ground.authority.caPem, cwd: dir },
    command: port => {
      writeFileSync(join(dir, 'sallyport.yaml'), configuration(ground, job, port))
      return [process.execPath, ...nodeOptions, program, 'serve', '--config', join(dir, 'sallyport.yaml')]
    },
  })
  const place = { port, url: `https://localhost:${port}` }
  if (job.auth === 'session')
    return { port, pids: [pid], headers: { cookie: await signIn(ground, place, uid, password) }, log }
  return { port, pids: [pid], headers: job.auth === 'basic' ? { authorization: basicOf(ground.person) } : {}, log }
}
