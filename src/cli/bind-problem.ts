/**
 * Says for a person why an address could not be bound. Whatever is no such failure passes through as it came.
 */
import { CommandEnd } from './report.ts'

export function bindProblem(cause: unknown): unknown {
  // A worker is told of it as 'bind'.
  if (!(cause instanceof Error) || !('syscall' in cause) || !/^(listen|bind)$/.test(String(cause.syscall))) return cause
  const { code, address, port } = cause as Error & { code?: string; address?: string; port?: number } // a listen error of Node has these
  const place = `${address?.includes(':') ? `[${address}]` : (address ?? '')}:${port ?? ''}`
  if (code === 'EADDRINUSE')
    return new CommandEnd(1, `${place} is already in use`, 'end what listens there, or bind another port')
  if (code === 'EACCES')
    return new CommandEnd(
      1,
      `this account may not bind ${place}`,
      'ports below 1024 need CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=), or net.ipv4.ip_unprivileged_port_start, or a redirect in the firewall',
    )
  if (code === 'EADDRNOTAVAIL') return new CommandEnd(1, `${address} is no address of this machine`)
  return cause
}
