/**
 * dcmtk's client and server talk to each other, without anything of ours between them.
 */
import t from 'tap'
import { dcmtkTools, runScu, startStorescp } from '../fixture/dcmtk.ts'
import { requireReal } from '../fixture/real.ts'

t.test('a node is answered in plain TCP, what is sent is stored, and what is not there is not reached', async t => {
  const file = '/usr/lib/python3/dist-packages/pydicom/data/test_files/CT_small.dcm'
  if (!requireReal(t, [...dcmtkTools, file])) return
  const archive = await startStorescp(t)
  t.match(await runScu('echoscu', { port: archive.port }), { exitCode: 0, said: /Received Echo Response \(Success\)/ })
  t.same(archive.stored(), [])
  t.match(await runScu('storescu', { port: archive.port, files: [file] }), { exitCode: 0 })
  t.equal(archive.stored().length, 1, archive.log())
  t.match(await runScu('echoscu', { port: 1 }), { exitCode: 1, said: /connect|refused/i })
})
