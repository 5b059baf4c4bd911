// gunicorn takes a request header named SCRIPT_NAME for the start of the path, and cuts it off: the path that rules have
// judged would not be the one that the application serves. Against a real gunicorn.
import t from 'tap'
import { djangoTools, startDjango } from '../fixture/django.ts'
import { startTestGateway } from '../fixture/gateway.ts'
import { requireReal } from '../fixture/real.ts'
import { head, statuses, stillAnswers, talk } from './raw-request.ts'

if (!requireReal(t, djangoTools)) process.exit(0)

const django = await startDjango(t)
const gateway = await startTestGateway(t, {
  yaml: `
upstreams: { omero: { kind: omero-web, url: "${django.url}" } }
routes:
  - { path: /omero, upstream: omero, access: authenticated }
  - { path: /omero/static, upstream: omero, access: everyone }
`,
})

t.test('an open route serves what lies under it, and not what another route guards', async t => {
  t.equal((await gateway.ask('/omero/echo/')).status, 401, 'the guarded place')
  t.equal((await gateway.ask('/omero/static/app.js')).status, 200, 'the open one')
  for (const name of [
    'SCRIPT_NAME',
    'Script_Name',
    'script_name',
    'SCRIPT-NAME',
    'Script.Name',
    'X-Script-Name',
    'PATH_INFO',
    'Path-Info',
    'X-Original-URL',
    'X-Rewrite-URL',
    'X-Forwarded-Prefix',
  ]) {
    for (const value of ['/omero/static', '/omero/static/', '/omero/echo/', '/echo/']) {
      const { text } = await talk(gateway, head(gateway, 'GET /omero/static/echo/ HTTP/1.1', [`${name}: ${value}`]), {
        until: '\r\n\r\n',
      })
      t.same(statuses(text), [404], `${name}: ${value}`)
      const { status } = await gateway.ask('/omero/static/echo/', { protocol: 'HTTP/2', headers: { [name]: value } })
      t.equal(status, 404)
    }
  }
  await stillAnswers(t, gateway)
})
