/**
 * Connections to one server that are signed in as the reader and have nothing to do, kept for the next search.
 *
 * It opens none and counts none: whoever asks holds a turn (servers.ts), takes a resting connection or opens one, and gives
 * it back. Not to forget: only a connection whose last answer was whole comes in, and none that a person was ever bound on.
 */
import { performance } from 'node:perf_hooks'
import type { Conversation } from './conversation.ts'

export interface PoolTerms {
  /** Milliseconds without a question. */
  readonly rest: number
  /** Milliseconds since it came in first. */
  readonly age: number
}

/**
 * Well below what firewalls forget and directories close; and certificate, rights and password of the reader are looked at
 * again now and then.
 */
const usual: PoolTerms = { rest: 30_000, age: 600_000 }

export interface ReaderPool {
  /** The one that rested least; undefined: none rests. */
  take(): Conversation | undefined
  /** Closes it where it cannot be used again. */
  giveBack(conversation: Conversation): void
  /** Closes those that rest. */
  clear(): void
  /** From now on none is kept. */
  close(): void
}

export function createReaderPool({ rest, age }: PoolTerms = usual): ReaderPool {
  const resting = new Map<Conversation, NodeJS.Timeout>()
  const opened = new WeakMap<Conversation, number>()
  let isClosed = false

  const leave = (conversation: Conversation) => {
    clearTimeout(resting.get(conversation))
    resting.delete(conversation)
  }
  const clear = () => {
    for (const conversation of [...resting.keys()]) {
      leave(conversation)
      conversation.close()
    }
  }

  return {
    take() {
      for (const conversation of [...resting.keys()].reverse()) {
        leave(conversation)
        if (!conversation.isOpen) continue // the directory closed it meanwhile
        conversation.wake()
        return conversation
      }
      return undefined
    },
    giveBack(conversation) {
      const since = opened.get(conversation) ?? performance.now()
      opened.set(conversation, since)
      if (isClosed || !conversation.isOpen || performance.now() - since > age) return conversation.close()
      conversation.rest()
      const timer = setTimeout(() => {
        leave(conversation)
        conversation.close()
      }, rest)
      resting.set(conversation, timer.unref())
    },
    clear,
    close() {
      isClosed = true
      clear()
    },
  }
}
