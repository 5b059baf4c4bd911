import { existsSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { writeNewFile } from '../../src/issuer/new-file.ts'

t.test('a new file has its mode and its content, and leaves no draft', async t => {
  const umask = process.umask(0)
  t.teardown(() => process.umask(umask))
  const dir = t.testdir()
  writeNewFile(join(dir, 'a.key'), 'secret', 0o600)
  t.equal(readFileSync(join(dir, 'a.key'), 'utf8'), 'secret')
  t.equal(statSync(join(dir, 'a.key')).mode & 0o777, 0o600)
  t.same(readdirSync(dir), ['a.key'])
})

t.test('what is there stays, also behind a link, and the refusal names it', async t => {
  const dir = t.testdir({ 'a.key': 'old' })
  const link = join(dir, 'link')
  symlinkSync(join(dir, 'elsewhere'), link)
  for (const file of [join(dir, 'a.key'), link]) {
    t.throws(() => writeNewFile(file, 'new', 0o600), { code: 'file-exists', message: file })
  }
  t.equal(readFileSync(join(dir, 'a.key'), 'utf8'), 'old')
  t.notOk(existsSync(join(dir, 'elsewhere')))
})

t.test('a fault of the disk is no refusal', async t => {
  t.throws(() => writeNewFile(join(t.testdir(), 'missing', 'a.key'), 'x', 0o600), { code: 'ENOENT' })
})
