/**
 * A turn at an upstream: the right to one connection at one time, at one of its servers after the other.
 */
import type { Server } from './server.ts'

/** As every turn begins: with no server that was asked already. */
export const untried: ReadonlySet<Server> = new Set()

export class ServerTurn {
  server: Server
  readonly #giveBack: () => void
  readonly #next: (tried: ReadonlySet<Server>) => Server | undefined
  #tried: ReadonlySet<Server> = untried
  #isOver = false

  constructor(server: Server, giveBack: () => void, next: (tried: ReadonlySet<Server>) => Server | undefined) {
    this.server = server
    this.#giveBack = giveBack
    this.#next = next
    server.running++
  }

  /** @returns whether there is a server that was not tried */
  goOn(): boolean {
    this.#tried = new Set([...this.#tried, this.server])
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
