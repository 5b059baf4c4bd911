/**
 * The last bytes on a connection: a client that does not take them, or does not close, loses it all the same.
 */
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'

/** Milliseconds that a client has to read what was said and to close. */
const patience = 5_000

/** Ends `socket` with these bytes, and destroys it when that leads nowhere. */
export function sayLast(socket: Duplex, text: string): void {
  socket.end(text)
  closeSoon(socket)
}

/** To whom no request could be made of what they sent. */
export function sayStatus(socket: Duplex, status: number): void {
  sayLast(socket, `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

/** For a connection that has been ended already. */
export function closeSoon(socket: { destroy(): unknown }): void {
  setTimeout(() => socket.destroy(), patience).unref()
}
