/**
 * Bytes that must be refused as a whole: one 400 and the end, and nothing at the upstream, however they are split.
 *
 * Not to forget: behind the bytes comes a well-formed request, so a gateway that reads on after its refusal is caught.
 */
import type { Test } from 'tap'
import type { TestGateway } from '../fixture/gateway.ts'
import type { Upstream } from '../fixture/upstream.ts'
import { head, openRaw, statuses, stillAnswers } from './raw-request.ts'

export interface House {
  readonly gateway: TestGateway
  readonly upstream: Upstream
}

/** `method target` of all that arrived since `from`. */
export const arrived = ({ received }: Pick<Upstream, 'received'>, from: number): string[] =>
  received.slice(from).map(({ method, target }) => `${method} ${target}`)

/** @param titled  title -> bytes; each goes out in one write, and again cut in two at half of its length */
export async function refusedWhole(
  t: Test,
  { gateway, upstream }: House,
  titled: Readonly<Record<string, string>>,
): Promise<void> {
  const from = upstream.received.length
  for (const [title, bytes] of Object.entries(titled)) {
    for (const cut of [bytes.length, Math.floor(bytes.length / 2)]) {
      using line = await openRaw(gateway)
      const follower = head(gateway, 'GET /behind HTTP/1.1')
      await line.write(bytes.slice(0, cut))
      await line.write(`${bytes.slice(cut)}${follower}`).catch(() => undefined)
      const { text, ended } = await line.read({ timeout: 3_000 })
      t.same(statuses(text), [400], title)
      t.match(ended, /end|error/, `${title}: the connection is closed`)
    }
  }
  await stillAnswers(t, gateway)
  t.same(arrived(upstream, from), [], 'nothing arrived')
  t.same(upstream.malformed, [])
}
