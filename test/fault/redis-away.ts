/**
 * What people see while the Redis that two gateways share is away from one of them, and when it is back.
 */
import type { Test } from 'tap'
import { within } from '../behaviour/app.ts'
import { startSharedHouse, statusOf } from '../behaviour/shared-house.ts'
import { startDirectoryProxy, type Way } from '../fixture/directory-proxy.ts'
import type { TestGateway } from '../fixture/gateway.ts'
import { startRedis } from '../fixture/redis.ts'

export const password = 'correct horse'
export const patience = 15_000

export const readyOf = async ({ gateway }: TestGateway): Promise<string> => {
  const admin = gateway.listeners.find(({ name }) => name === 'admin')?.urls[0] ?? ''
  const { parts } = (await (await fetch(`${admin}/readyz`)).json()) as { parts: Record<string, string> } // ours
  return String(parts['state'])
}

/** The form is fetched while it still can be. */
async function signOut(gateway: TestGateway, cookie: string) {
  const form = await gateway.ask('/-/logout', { cookie, headers: { accept: 'text/html' } })
  const token = /name="token" value="([^"]+)"/.exec(form.text)?.[1] ?? ''
  const cookies = [cookie, ...form.cookies.map(line => line.split(';')[0])].join('; ')
  return () =>
    gateway.ask('/-/logout', {
      ...{ method: 'POST', cookie: cookies, body: new URLSearchParams({ token }).toString() },
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: gateway.url },
    })
}

/** Call requireReal(t, redisTools) first. @param way  how it is away */
export async function seeAwayAndBack(t: Test, way: Way): Promise<void> {
  const redis = await startRedis(t)
  await redis.putAccounts({ alice: { password } })
  const proxy = await startDirectoryProxy(t, redis.url)
  const house = await startSharedHouse(t, { redis, store: `redis://127.0.0.1:${proxy.port}` })
  const [gateway, near] = house.gateways
  const [stays, goes] = [await gateway.signIn('alice', password), await near.signIn('alice', password)]
  t.same([await statusOf(gateway, stays), await statusOf(gateway, goes), await readyOf(gateway)], [200, 200, 'ok'])
  const leave = await signOut(gateway, goes)

  await proxy.switchTo(way)
  t.ok(await within(patience, () => gateway.log().some(({ message }) => /state is away/.test(String(message)))))
  t.equal(await statusOf(gateway, stays), 200, 'who is in goes on')
  const refused = await gateway.ask('/', { cookie: `__Host-sallyport=${'x'.repeat(43)}` })
  t.match([refused.status, refused.headers], [503, { 'retry-after': /\d+/ }], 'who is not known is not denied')
  const open = await gateway.ask('/open', { cookie: `__Host-sallyport=${'x'.repeat(43)}` })
  t.equal(open.status, 200, 'what is open to everyone stays so')
  await t.rejects(gateway.signIn('alice', password), /gave 503/, 'nobody signs in')
  t.equal((await leave()).status, 303, 'who signs out')
  t.equal(await statusOf(gateway, goes), 401, 'is out at once')
  // Over a line that is slow it may have been told.
  if (typeof way === 'string') t.equal(await statusOf(near, goes), 200, 'where nobody could be told it goes on')

  await proxy.switchTo('pass')
  t.ok(await within(patience, () => gateway.log().some(({ message }) => /there again/.test(String(message)))))
  t.ok(await within(patience, async () => (await statusOf(near, goes)) === 401), 'and ends when Redis is back')
  t.equal(await statusOf(gateway, stays), 200)
  t.equal(await statusOf(near, await gateway.signIn('alice', password)), 200)
  const told = gateway.log().filter(({ message }) => /state is (away|there)/.test(String(message)))
  t.equal(told.length, 2, 'told once for each change')
}
