/** The program of a worker: one of several processes that serve one configuration. Started by the primary, and by no person. */
import { setFlagsFromString } from 'node:v8'

// As bin/sallyport.js says it, and as early: before anything else is loaded.
setFlagsFromString('--memory-reducer-gc-count=0')
const { runAsWorker } = await import('./run-worker.ts')
await runAsWorker()
