// Who is in already costs no read and no write: not of the database, not of users.yaml, however many requests come.
import { createHmac } from 'node:crypto'
import fs from 'node:fs'
import { Agent, request } from 'node:https'
import { syncBuiltinESMExports } from 'node:module'
import { StatementSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import type { TestGateway } from '../fixture/gateway.ts'
import { json } from '../fixture/upstream-answers.ts'
import { startApp, within } from './app.ts'

const requests = 300

/** What is read from here on: statements as they are written, and files by name. */
function watchReads(t: Pick<Test, 'teardown'>): string[] {
  const reads: string[] = []
  const { get, all, run } = StatementSync.prototype
  const { openSync } = fs
  for (const [name, original] of Object.entries({ get, all, run }))
    Object.assign(StatementSync.prototype, {
      [name](this: StatementSync, ...given: unknown[]) {
        reads.push(this.sourceSQL)
        return Reflect.apply(original, this, given)
      },
    })
  fs.openSync = (...given: Parameters<typeof openSync>) => {
    reads.push(`file ${given[0]}`)
    return openSync(...given)
  }
  syncBuiltinESMExports()
  t.teardown(() => {
    Object.assign(StatementSync.prototype, { get, all, run })
    fs.openSync = openSync
    syncBuiltinESMExports()
  })
  return reads
}

/** Time stands still for what is asked again after a quarter of a second. */
function holdTime(t: Pick<Test, 'teardown'>): void {
  const { now } = performance
  const held = performance.now()
  performance.now = () => held
  t.teardown(() => {
    performance.now = now
  })
}

interface Proof {
  readonly headers?: Readonly<Record<string, string>>
  readonly cert?: string
  readonly key?: string
}

/** One connection, one request after the other; how often each status came. */
async function askMany({ port, authority }: TestGateway, { headers, ...certificate }: Proof): Promise<unknown> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const statuses: Record<number, number> = {}
  for (let nth = 0; nth < requests; nth++) {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    request({
      ...{ host: '127.0.0.1', port, servername: 'localhost', ca: authority.caPem, agent, ...certificate },
      headers: { host: `localhost:${port}`, ...headers },
    })
      .once('response', answer => answer.resume().once('end', () => resolve(answer.statusCode ?? 0)))
      .once('error', reject)
      .end()
    const status = await promise
    statuses[status] = (statuses[status] ?? 0) + 1
  }
  agent.destroy()
  return statuses
}

t.test('a request', async t => {
  const { gateway } = await startApp(t, () => json({}), {
    accounts: { alice: { password: 'correct horse' } },
    yaml: 'routes: [{ path: /, upstream: app, access: authenticated }]',
  })
  const cookie = await gateway.signIn('alice', 'correct horse')
  const { chainPem, keyPem } = await gateway.authority.client('alice')
  const authorization = `Basic ${Buffer.from('alice:correct horse').toString('base64')}`
  await gateway.ask('/', { headers: { authorization } })
  const proofs: Readonly<Record<string, Proof>> = {
    session: { headers: { cookie } },
    certificate: { cert: chainPem, key: keyPem },
    Basic: { headers: { authorization } },
  }
  for (const [kind, proof] of Object.entries(proofs)) {
    await t.test(`by ${kind} reads nothing`, async t => {
      await askMany(gateway, proof)
      const reads = watchReads(t)
      holdTime(t)
      t.same(await askMany(gateway, proof), { 200: requests })
      // Looks that are taken in the background, however many requests there are.
      const others = reads.filter(read => !/data_version|order by created_at/.test(read))
      t.ok(others.length <= 20, others.slice(0, 40).join('\n'))
    })
  }

  await t.test('that comes with a cookie of nobody is looked for, and leaves nothing behind', async t => {
    const reads = watchReads(t)
    const made = createHmac('sha256', 'nobody').digest('base64url')
    t.same(await askMany(gateway, { headers: { cookie: `__Host-sallyport=${made}` } }), { 401: requests })
    t.equal(reads.filter(read => /where digest = \?/.test(read)).length, requests)
  })

  await t.test('of somebody who was put out is refused within a second', async t => {
    const status = async () => (await gateway.ask('/', { cookie })).status
    t.equal(await status(), 200)
    fs.writeFileSync(`${gateway.dir}/state-users.yaml`, 'accounts: []\n')
    t.ok(await within(1_000, async () => (await status()) !== 200))
  })
})
