/**
 * TLS versions as people write them, and the range that several statements about them leave.
 *
 * One reading for all dialects: IceSSL (tls1_2), nginx, Mozilla and Node (TLSv1.2), Orthanc's numbers (4), plain 1.2.
 * Not to forget: a range never holds what nobody allowed. A hole between two versions is refused, never filled.
 *
 * Source: IceSSL `Protocols`, `ProtocolVersionMin`, `ProtocolVersionMax`; Orthanc `SslMinimumProtocolVersion`; RFC 7568
 * (SSL 3), RFC 8996 (TLS 1.0 and 1.1).
 */
export const protocolVersions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const

/** As Node and nginx spell it. Compares by age as text. */
export type ProtocolVersion = (typeof protocolVersions)[number]

export interface ProtocolRange {
  readonly minimum: ProtocolVersion
  readonly maximum: ProtocolVersion
}

export interface Mistake {
  readonly mistake: string
}

/** `TLSv1` is TLS 1.0; for people to read. */
export const protocolText = (version: ProtocolVersion): string =>
  version === 'TLSv1' ? 'TLS 1.0' : version.replace('v', ' ')

/** Orthanc's numbers, from 2 on. */
const counted = new Map(protocolVersions.map((version, at) => [String(at + 2), version]))

const howToWrite = 'write 1.2 or 1.3 (or tls1_2, TLSv1.2, or 4 as Orthanc counts)'

/**
 * One version in any dialect. A whole number from 2 to 5 is Orthanc's: no TLS version is called like that.
 *
 * 1 could be either, Orthanc's SSL 3 or TLS 1.0 with its zero gone (YAML reads 1.0 as 1), so it is neither.
 */
export function readProtocol(written: string | number): ProtocolVersion | Mistake {
  const text = String(written).trim()
  const shown = JSON.stringify(text)
  const numbered = counted.get(text)
  if (numbered !== undefined) return numbered
  if (text === '1')
    return {
      mistake: `${shown} is TLS 1.0, or SSL 3 as Orthanc counts: both are broken (RFC 8996, RFC 7568). ${howToWrite}; only floor: mozilla-old has TLS 1.0, written tls1_0`,
    }
  if (text === '0' || /^ssl/i.test(text))
    return {
      mistake: `${shown} is SSL${text === '0' ? ' 2 as Orthanc counts' : ''}, which is broken and not in this gateway at all (RFC 7568); ${howToWrite}`,
    }
  const [, minor] = /^(?:tls[ _]?v?)?1[._]([0-3])$/i.exec(text) ?? []
  const oldest = /^tls(?:[ _]?v?1)?$/i.test(text) // IceSSL: tls, tls1, tlsv1
  const version = protocolVersions[oldest ? 0 : Number(minor)]
  return version ?? { mistake: `${shown} is no TLS version; ${howToWrite}` }
}

export interface WrittenRange {
  /** The versions named one by one (IceSSL `Protocols`). Absent: all. */
  readonly protocols?: readonly ProtocolVersion[] | undefined
  readonly minimum?: ProtocolVersion | undefined
  readonly maximum?: ProtocolVersion | undefined
}

/** The versions that all statements allow; what is absent allows every version. */
export function protocolRange({
  protocols = protocolVersions,
  minimum = 'TLSv1',
  maximum = 'TLSv1.3',
}: WrittenRange): ProtocolRange | Mistake {
  const bounds = `the minimum is ${protocolText(minimum)} and the maximum ${protocolText(maximum)}`
  if (minimum > maximum) return { mistake: `no version is left: ${bounds}` }
  const left = protocolVersions.filter(v => v >= minimum && v <= maximum && protocols.includes(v))
  const [first] = left
  const last = left.at(-1)
  if (first === undefined || last === undefined)
    return { mistake: `no version is left of ${protocols.map(protocolText).join(', ')}: ${bounds}` }
  const hole = protocolVersions.find(v => v > first && v < last && !left.includes(v))
  if (hole !== undefined)
    return {
      mistake: `${protocolText(hole)} is missing between ${protocolText(first)} and ${protocolText(last)}, and a handshake knows no such hole; name ${protocolText(hole)} too, or ${protocolText(last)} alone`,
    }
  return { minimum: first, maximum: last }
}
