/**
 * A turn at an upstream: the right to one connection at one time, at one of its servers after the other.
 */
import type { Server } from './server.ts'

export class ServerTurn {
  server: Server
  readonly #giveBack: () => void
  readonly #next: (tried: ReadonlySet<Server>) => Server | undefined
  readonly #tried = new Set<Server>()
  #isOver = false

  constructor(server: Server, giveBack: () => void, next: (tried: ReadonlySet<Server>) => Server | undefined) {
    this.server = server
    this.#giveBack = giveBack
    this.#next = next
    server.running++
  }

  /** @returns whether there is a server that was not tried */
  goOn(): boolean {
    this.#tried.add(this.server)
    const next = this.#next(this.#tried)
    if (next === undefined) return false
    this.server.running--
    this.server = next
    next.running++
    return true
  }

  leave(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.server.running--
    this.#giveBack()
  }
}
