// `sallyport explain` says which rule decides, from the engine that judges real requests, and so both always agree.
import t from 'tap'
import { runCommand, twoAtATime } from '../fixture/command.ts'
import { askSite, makeSite, serveSite } from '../fixture/site.ts'
import { startUpstream } from '../fixture/upstream.ts'
import { textOf } from './signed-in.ts'

const rules = `
    access:
      - { groups: [pacs-admins], may: everything, dangerous: true }
      - { groups: [radiology], may: read }
      - { people: [ct-scanner-1], may: write, proof: [certificate] }`
const yaml = (
  url: string,
) => `upstreams: { orthanc: { kind: orthanc, url: "${url}" }, notes: { kind: generic, url: "${url}" } }
routes:
  - { path: /, upstream: notes, access: authenticated }
  - { host: open.example.org, path: /, upstream: notes, access: everyone }
  - path: /dicom-web
    upstream: orthanc${rules}
  - path: /orthanc
    upstream: orthanc
    strip: true${rules}`

const accounts = {
  alice: { password: 'alice-password', groups: ['radiology'] },
  keeper: { password: 'keeper-password', groups: ['pacs-admins'] },
  'ct-scanner-1': { password: 'scanner-password' },
}

t.test('what it says is what a request gets', async t => {
  const upstream = await startUpstream(t)
  const site = await makeSite(t, { accounts, yaml: yaml(upstream.url) })
  const served = await serveSite(t, site)
  const scanner = await site.authority.client('ct-scanner-1')
  const rogue = await site.authority.rogueClient('ct-scanner-1')

  type Row = readonly [
    method: string,
    path: string,
    who: string | typeof scanner | undefined,
    answer: string,
    route: string,
    verdicts: string,
  ]
  const table: readonly Row[] = [
    ['GET', '/x', undefined, 'no-identity', 'routes[0]', ''],
    ['GET', '/x', 'alice', 'permit', 'routes[0]', ''],
    ['GET', '/dicom-web/studies', 'alice', 'permit', 'routes[2]', 'not-named permit not-reached'],
    ['POST', '/dicom-web/studies', 'alice', 'not-permitted', 'routes[2]', 'not-named not-permitted not-reached'],
    ['POST', '/orthanc/tools/find', 'alice', 'permit', 'routes[3]', 'not-named permit not-reached'],
    ['DELETE', '/orthanc/studies/1', 'keeper', 'permit', 'routes[3]', 'permit not-reached not-reached'],
    ['POST', '/orthanc/tools/shutdown', 'keeper', 'permit', 'routes[3]', 'permit not-reached not-reached'],
    ['GET', '/orthanc/modalities', 'alice', 'dangerous', 'routes[3]', 'not-named dangerous not-reached'],
    ['POST', '/dicom-web/studies', scanner, 'permit', 'routes[2]', 'not-named not-named permit'],
    ['DELETE', '/dicom-web/studies/1', scanner, 'not-permitted', 'routes[2]', 'not-named not-named not-permitted'],
    ['POST', '/dicom-web/studies', 'ct-scanner-1', 'proof-needed', 'routes[2]', 'not-named not-named proof-needed'],
    ['POST', '/dicom-web/studies', rogue, 'certificate-not-trusted', 'routes[2]', 'not-named not-named not-named'],
  ]
  await twoAtATime(table, async ([method, path, who, answer, route, verdicts]) => {
    const by = typeof who === 'string' ? ['--user', who] : who === undefined ? [] : ['--certificate', who.certFile]
    const said = await runCommand([
      'explain',
      '--config',
      site.file,
      '--json',
      '--url',
      path,
      '--method',
      method,
      ...by,
    ])
    t.equal(said.exitCode, 0, said.stderr)
    const value = JSON.parse(said.stdout)
    const label = `${method} ${path} by ${by.at(-1)?.replace(site.authority.dir, '') ?? 'nobody'}`
    t.equal(value.outcome === 'permit' ? 'permit' : value.reason, answer, label)
    t.equal(value.route, route)
    t.equal(value.rules.map(({ verdict }: { verdict: string }) => verdict).join(' '), verdicts)

    const auth = typeof who === 'string' ? { auth: `${who}:${accounts[who as keyof typeof accounts].password}` } : {} // a name of the table above
    const tls = typeof who === 'object' ? { cert: who.chainPem, key: who.keyPem } : {}
    const real = await askSite(site, served, path, { method, ...auth, ...tls })
    const text = await textOf(real)
    t.equal(real.statusCode === 200 ? 'permit' : JSON.parse(text).reason, answer, `really: ${label}`)
  })
})

t.test('people read it as a short table', async t => {
  const site = await makeSite(t, { accounts, yaml: yaml('http://127.0.0.1:9') })
  const explain = (...args: string[]) => runCommand(['explain', '--config', site.file, ...args])
  const alice = await explain('--url', 'https://imaging.example.org:8443/orthanc/instances/1?x=y', '--user', 'alice')
  t.equal(
    alice.stdout,
    [
      'path      /orthanc/instances/1',
      'route     routes[3] (any host /orthanc) -> orthanc, prefix stripped',
      'operation GET, needs read',
      'who       alice, by password, groups: radiology',
      'rule      routes[3].access[0]: not-named',
      'rule      routes[3].access[1]: permit',
      'rule      routes[3].access[2]: not-reached',
      'answer    permit\n',
    ].join('\n'),
  )
  t.match(
    (await explain('--url', 'https://OPEN.example.org/x')).stdout,
    /routes\[1\] \(open\.example\.org \/\)[\s\S]*access {4}everyone\nanswer {4}permit/,
  )
  t.match(
    (await explain('--url', '/dicom-web/studies', '--user', 'somebody', '--group', 'radiology', 'other')).stdout,
    /groups: radiology, other[\s\S]*permit/,
  )
  t.match((await explain('--url', '/a/%2e%2e/b')).stdout, /^400: the path holds /)
  t.match((await explain('--url', '/%2f')).stdout, /^400: /)
})

t.test('what cannot be explained is said with exit code 2', async t => {
  const site = await makeSite(t, { yaml: yaml('http://127.0.0.1:9') })
  const explain = (...args: string[]) => runCommand(['explain', '--config', site.file, ...args])
  t.match(await explain(), { exitCode: 2, stderr: /url/ })
  t.match(await explain('--url', '/x', '--certificate', site.file), {
    exitCode: 2,
    stderr: /no certificate that can be read/,
  })
  t.match(await explain('--url', '/x', '--certificate', '/no/such/file'), { exitCode: 2, stderr: /\/no\/such\/file/ })
  t.match(await explain('--url', '/x', '--user', 'a', '--certificate', 'b'), { exitCode: 2 })
  t.match(await runCommand(['explain', '--config', '/no/such.yaml', '--url', '/x']), {
    exitCode: 2,
    stderr: /there is no such file/,
  })
})
