// Workers that are killed before they listen, again and again: the gateway gives up, and says why.
import t from 'tap'
import { startCommand } from '../fixture/command.ts'
import { makeSite } from '../fixture/site.ts'
import { childrenOf } from '../workers/crew-site.ts'

t.test('workers that die at once, and again, end the start with the reason', async t => {
  const site = await makeSite(t, { yaml: 'workers: 2' })
  const running = startCommand(t, ['serve', '--config', site.file], { cwd: site.dir })
  const killing = setInterval(() => {
    try {
      for (const pid of childrenOf(running.pid)) process.kill(pid, 'SIGKILL')
    } catch {
      // it ended a moment ago
    }
  }, 5)
  const { exitCode, stderr, stdout } = await running.ended
  clearInterval(killing)
  t.same([exitCode, stdout], [1, ''])
  t.match(stderr, /error: worker 1 was started 3 times, and it ended before it listened \(SIGKILL\) each time/)
})
