/**
 * What each kind of server behind the gate needs. Data; the code that acts on it is in forward/.
 *
 * Source: Orthanc Configuration.json (KeepAliveTimeout 1 s, 50 threads), orthanc-dicomweb Configuration.cpp (RetrieveURL);
 * OMERO.web nginx template and webclient/urls.py, gunicorn message.py; measured with Orthanc 1.10.1 and DICOMweb 1.7.
 */
import type { HttpUpstreamSection } from '../config/upstream.ts'

export interface Profile {
  /** Milliseconds that an idle connection is kept; below what the server keeps it, else requests meet a closing socket. */
  readonly idleConnection: number
  /** Orthanc's own gzip costs 62 ms of CPU a frame against 2.3 without. */
  readonly passAcceptEncoding: boolean
  /** Orthanc keeps the quotes that RFC 7239 wants around host:port, and takes the host from Host anyway. */
  readonly forwarded: 'proto' | 'full'
  /** The server takes HEAD and OPTIONS for something else: they are answered here. */
  readonly answersHeadAndOptions: boolean
  /** The server lets a header or query parameter replace the method. */
  readonly overridesMethods: boolean
  /** Bodies may end with the connection: their own end mark is looked for. */
  readonly checksEndMark: boolean
  /** 502 is shown as maintenance, with Retry-After. */
  readonly maintenance: boolean
  /** Who has signed in at one of several servers is known to that one only. */
  readonly sticky: boolean
  /** Paths, as the server sees them, that a page asks for by itself, again and again: they keep nobody signed in. */
  readonly pings?: RegExp
}

const generic: Profile = {
  idleConnection: 4_000,
  passAcceptEncoding: true,
  forwarded: 'full',
  answersHeadAndOptions: false,
  overridesMethods: false,
  checksEndMark: false,
  maintenance: false,
  sticky: false,
}

export const profiles: Record<HttpUpstreamSection['kind'], Profile> = {
  generic,
  orthanc: {
    idleConnection: 700,
    passAcceptEncoding: false,
    forwarded: 'proto',
    answersHeadAndOptions: true,
    overridesMethods: true,
    checksEndMark: true,
    maintenance: false,
    sticky: false,
  },
  'omero-web': {
    ...generic,
    // gunicorn keeps idle connections for 2 s.
    idleConnection: 1_500,
    maintenance: true,
    sticky: true,
    // omero.web.ping_interval, once a minute; behind whatever prefix it runs under.
    pings: /\/webclient\/keepalive_ping\/$/,
  },
}
