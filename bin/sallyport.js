#!/usr/bin/env node
// Starts the command line: from source in a checkout, compiled in the npm package. Says clearly when Node is too old.
import { existsSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 24 || (major === 24 && minor < 21)) {
  const own = new URL('../node_modules/.bin/node', import.meta.url)
  if (existsSync(own) && process.env.SALLYPORT_NODE !== '1') {
    // A checkout carries a Node that is new enough.
    const { spawn } = await import('node:child_process')
    const child = spawn(own.pathname, [new URL(import.meta.url).pathname, ...process.argv.slice(2)], {
      stdio: 'inherit',
      env: { ...process.env, SALLYPORT_NODE: '1' },
    })
    // On a terminal the child gets Ctrl-C by itself; what is sent to this process alone is handed on.
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'])
      process.on(signal, () => (signal === 'SIGINT' && process.stdin.isTTY) || child.kill(signal))
    child.on('exit', (code, signal) => {
      process.exitCode = code ?? (signal ? 1 : 0)
    })
  } else {
    console.error(
      `error: sallyport needs Node 24.21 or later; this is ${process.versions.node}.\n` +
        'Why: older versions call a resumed TLS 1.3 session authorized although no client certificate was shown (nodejs/node#35317).\n' +
        'hint: install a newer Node, or run it from a checkout with: npx node bin/sallyport.js',
    )
    process.exitCode = 1
  }
} else {
  // V8 collects all and shrinks when there was no work for eight seconds, and who comes next waits up to twice as long, for some
  // seconds. A pause between two studies is longer than that; src/kernel/give-back.ts waits for one that is. To be said early: once it
  // has begun to count, V8 takes no smaller number. Source: V8's heap/memory-reducer.cc.
  setFlagsFromString('--memory-reducer-gc-count=0')
  const isCheckout = existsSync(new URL('../src/cli/main.ts', import.meta.url))
  if (isCheckout && !import.meta.url.includes('/node_modules/')) await import('../src/cli/main.ts')
  else await import('#cli')
}
