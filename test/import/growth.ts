/**
 * How many times as much CPU `large` takes as `small`, once neither gets faster any more: V8 compiles for a second and longer, and a
 * ratio of code that is compiled to code that is not says nothing. CPU of this thread, and not time: on a busy machine what takes
 * longer is interrupted more often besides.
 */
export function growth(small: () => void, large: () => void): number {
  let [leastSmall, leastLarge] = [cpuOf(small), cpuOf(large)]
  for (let same = 0; same < 3; ) {
    const [nextSmall, nextLarge] = [cpuOf(small), cpuOf(large)]
    same = nextSmall < leastSmall * 0.9 || nextLarge < leastLarge * 0.9 ? 0 : same + 1
    leastSmall = Math.min(leastSmall, nextSmall)
    leastLarge = Math.min(leastLarge, nextLarge)
  }
  return leastLarge / leastSmall
}

/** Microseconds for one run, of as many as take a twentieth of a second: kernels count in steps of up to ten milliseconds. */
function cpuOf(work: () => void): number {
  const begun = process.threadCpuUsage()
  for (let runs = 1; ; runs++) {
    work()
    const { user, system } = process.threadCpuUsage(begun)
    if (user + system > 50_000) return (user + system) / runs
  }
}
