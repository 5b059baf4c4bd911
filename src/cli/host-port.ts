/**
 * HOST:PORT on a command line; an IPv6 address stands in brackets.
 */
import type { PeerAddress } from '../tls/connect-peer.ts'
import { CommandEnd } from './report.ts'

/** @throws CommandEnd 2 */
export function readHostPort(text: string): PeerAddress {
  const [, v6, name = '', port = ''] = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:/@[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = v6 ?? name
  if (host === '' || Number(port) < 1 || Number(port) > 65_535)
    throw new CommandEnd(2, `"${text}" is no host and port`, 'for example pacs.example.org:8042, or [2001:db8::1]:443')
  return { host, port: Number(port) }
}
