/**
 * All keystores that ACME authorities supply, through reloads: what stays in the configuration goes on undisturbed.
 */
import type { AcmeKeystoreSection } from '../config/keystore.ts'
import { type Acme, type AcmeParts, type AcmeState, openAcme } from './acme.ts'

/** One keystore, with what its files held. */
export interface AcmeOrder extends Pick<AcmeParts, 'ca' | 'bindingKey'> {
  readonly section: AcmeKeystoreSection
}

export interface Supplies extends AsyncDisposable {
  /** Orders these from now on, and no others. */
  follow(orders: readonly AcmeOrder[]): void
  readonly states: readonly AcmeState[]
}

export function createSupplies(parts: Pick<AcmeParts, 'dir' | 'now' | 'tell' | 'renewed' | 'challenges'>): Supplies {
  const running = new Map<string, Acme>()
  const ending = new Set<Promise<void>>()
  return {
    follow(orders) {
      const wanted = new Map(
        orders.map(order => [JSON.stringify([order.section, order.ca, order.bindingKey?.reveal()]), order]),
      )
      for (const [key, acme] of running) {
        if (wanted.has(key)) continue
        running.delete(key)
        const ended = Promise.resolve(acme[Symbol.asyncDispose]())
        ending.add(ended)
        void ended.finally(() => ending.delete(ended))
      }
      for (const [key, { section, ca, bindingKey }] of wanted)
        if (!running.has(key)) running.set(key, openAcme(section, { ...parts, ca, bindingKey }))
    },
    get states() {
      return [...running.values()].map(({ state }) => state)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...ending, ...[...running.values()].map(acme => acme[Symbol.asyncDispose]())])
    },
  }
}
