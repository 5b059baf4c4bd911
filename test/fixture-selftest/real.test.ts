// requireReal tells what is there from what is not, and never lets a strict run pass without it.
import t from 'tap'
import { requireReal } from '../fixture/real.ts'

const listen = () => {
  const said: string[] = []
  return {
    said,
    // Tap's own would end up in this test's result.
    pass: (_: string, { skip }: { readonly skip: string }) => said.push(`skip: ${skip}`),
    fail: (reason: string) => said.push(`fail: ${reason}`),
  }
}

t.test('names are found on PATH and in /usr/sbin, paths as they are', async t => {
  const ear = listen()
  t.equal(requireReal(ear, ['sh', process.execPath]), true)
  t.same(ear.said, [])
})

t.test('what is missing is named, and skips at home', async t => {
  t.intercept(process, 'env', { value: { ...process.env, REQUIRE_REAL: '' } })
  const ear = listen()
  t.equal(requireReal(ear, ['sh', 'no-such-tool', '/no/such/file']), false)
  t.same(ear.said, ['skip: needs no-such-tool, /no/such/file'])
})

t.test('with REQUIRE_REAL=1 it is a failure', async t => {
  t.intercept(process, 'env', { value: { ...process.env, REQUIRE_REAL: '1' } })
  const ear = listen()
  t.equal(requireReal(ear, ['no-such-tool']), false)
  t.same(ear.said, ['fail: needs no-such-tool'])
})
