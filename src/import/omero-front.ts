/**
 * What the settings of an OMERO do not say: where the gateway listens, and what stands behind it.
 *
 * They are of the server; its web client is what a browser asks for. So the draft puts OMERO.web behind the gate, where
 * OMERO says it is, or where it is by default, and marks that as an assumption.
 *
 * Source: omero-web omeroweb/settings.py (application_server, csrf_trusted_origins); `omero web config nginx`.
 */
import { isIP } from 'node:net'
import type { Tell } from './decision.ts'
import { type DraftMap, remarked } from './draft.ts'
import type { OmeroSettings } from './omero-property.ts'

const option = (last: string) => `omero.web.${last}`

export function drawFront(settings: OmeroSettings, tell: Tell): DraftMap {
  tell(
    'decide',
    { option: '' },
    'the settings of OMERO name no address and no certificate for browsers: the draft listens on 8443, and "sallyport certs authority", then "sallyport certs server NAME" make the certificate that it names',
  )
  tell(
    'decide',
    { option: '' },
    'OMERO.web has a login of its own. The draft opens least: access: authenticated, so that people sign in at the gate and at OMERO.web. With access: everyone the gate asks for nothing, and its realms stand there for other routes',
  )
  return {
    listeners: {
      web: {
        bind: remarked('0.0.0.0:8443', 'publicUrl: https://NAME is needed where people reach it by another address'),
        keystore: {
          certificate: remarked('certs/server.pem', 'sallyport certs server NAME'),
          key: remarked('certs/server.key', 'its key, unless it is in the same file'),
        },
      },
    },
    upstreams: { omero: { kind: 'omero-web', url: urlIn(settings, tell) } },
    routes: remarked(
      [{ path: '/', upstream: 'omero', access: 'authenticated' }],
      'OMERO.web keeps its prefix; the longest path wins',
    ),
  }
}

function urlIn(settings: OmeroSettings, tell: Tell) {
  const [host, port] = [option('application_server.host'), option('application_server.port')]
  const address = settings.text(host) ?? '127.0.0.1'
  const number = settings.text(port) ?? '4080'
  const isPort = /^\d{1,5}$/.test(number) && Number(number) >= 1 && Number(number) <= 65_535
  const inUrl = isIP(address) === 6 ? `[${address}]` : address
  // A row of digits looks like a name and is none.
  const isAddress = /^[A-Za-z0-9.[\]:-]{1,253}$/.test(inUrl) && URL.canParse(`http://${inUrl}:1`)
  if (!isPort) tell('problem', settings.place(port), 'is no port; the draft takes 4080')
  if (!isAddress) tell('problem', settings.place(host), 'is no address; the draft takes 127.0.0.1')
  const everywhere = address === '0.0.0.0' || address === '::'
  const near = isAddress && !everywhere ? inUrl : '127.0.0.1'
  if (everywhere)
    tell(
      'change',
      settings.place(host),
      'set it to 127.0.0.1 where the gateway runs on the same machine: nobody should get past the gate',
    )
  tell(
    'change',
    settings.place(option('csrf_trusted_origins')),
    `tell OMERO.web that https is spoken: omero config set omero.web.csrf_trusted_origins '["https://NAME"]', and where the gateway runs on another machine omero config set omero.web.secure_proxy_ssl_header '["HTTP_X_FORWARDED_PROTO", "https"]'; an nginx before it has nothing to do any more`,
  )
  const isSaid = settings.has(host) || settings.has(port)
  return remarked(
    `http://${near}:${isPort ? number : '4080'}`,
    isSaid ? 'omero.web.application_server' : 'assumed: OMERO.web where it is by default; change it to where yours is',
  )
}
