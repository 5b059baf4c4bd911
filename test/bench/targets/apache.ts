/**
 * Apache with the event MPM and mod_proxy; identity by mod_authnz_ldap (its own cache: ten minutes) or by certificate.
 *
 * Source: httpd.apache.org 2.4, mod_proxy, mod_authnz_ldap, mod_ssl, event.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Ground } from '../ground.ts'
import { coresFor } from '../processes.ts'
import { basicOf, type Job, launch, suite, type Target } from './target.ts'

interface Terms {
  readonly dir: string
  readonly ground: Ground
  readonly job: Job
  readonly port: number
}

const modules = ['mpm_event', 'headers', 'socache_shmcb', 'ssl', 'http2', 'proxy', 'proxy_http', 'setenvif']
const identityModules = ['authn_core', 'authz_core', 'authz_user', 'auth_basic', 'ldap', 'authnz_ldap']
const threads = 128 // of each process, more than any scenario has connections at work

function access({ auth }: Job, { slapd }: Ground): string {
  if (auth !== 'basic' || slapd === undefined) return 'Require all granted'
  return `AuthType Basic
  AuthName imaging
  AuthBasicProvider ldap
  AuthLDAPURL "${slapd.url}/${slapd.peopleDn}?uid?one"
  AuthLDAPBindDN "${slapd.reader.dn}"
  AuthLDAPBindPassword "${slapd.reader.password}"
  Require valid-user`
}

const configuration = ({ dir, ground, job, port }: Terms) => `ServerRoot ${dir}
DefaultRuntimeDir ${dir}
PidFile ${dir}/pid
ServerName localhost
${[...modules, ...identityModules].map(name => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
ErrorLog ${dir}/error.log
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{Referer}i\\" \\"%{User-Agent}i\\"" combined
CustomLog ${dir}/access.log combined
StartServers ${job.workers}
ServerLimit ${job.workers}
ThreadsPerChild ${threads}
ThreadLimit ${threads}
MaxRequestWorkers ${threads * job.workers}
MinSpareThreads ${threads * job.workers}
MaxSpareThreads ${threads * job.workers}
AsyncRequestWorkerFactor 64
MaxConnectionsPerChild 0
MaxKeepAliveRequests 0
KeepAliveTimeout 75
ListenBacklog 4096
Listen 127.0.0.1:${port}
SSLSessionCache shmcb:${dir}/ssl(512000)
SSLProtocol TLSv1.3
SSLCipherSuite TLSv1.3 ${suite}
<VirtualHost 127.0.0.1:${port}>
  SSLEngine on
  SSLCertificateFile ${ground.server.certFile}
  SSLCertificateKeyFile ${ground.server.keyFile}
  ${job.auth === 'certificate' ? `SSLVerifyClient require\n  SSLCACertificateFile ${ground.authority.caFile}` : ''}
  Protocols h2 http/1.1
  ProxyPreserveHost On
  ProxyPass /upload http://127.0.0.1:${ground.sink}/upload
  ProxyPass / http://127.0.0.1:${ground.files}/
  <Location />
  ${access(job, ground)}
  </Location>
</VirtualHost>
`

export const apache: Target = {
  name: 'apache',
  packages: { apache2: '/usr/sbin/apache2' },
  cannot: ({ auth }) =>
    auth === 'session' ? 'its sessions (mod_auth_form) keep the password in the cookie' : undefined,
  async start(t, ground, job) {
    const dir = ground.folder('apache')
    const { port, pid, log } = await launch(t, {
      ...{ name: 'apache', cores: coresFor(job.workers).gateway, ca: ground.authority.caPem, cwd: dir },
      command: port => {
        writeFileSync(join(dir, 'httpd.conf'), configuration({ dir, ground, job, port }))
        return ['/usr/sbin/apache2', '-DFOREGROUND', '-d', dir, '-f', join(dir, 'httpd.conf')]
      },
    })
    const headers = job.auth === 'basic' ? { authorization: basicOf(ground.person) } : {}
    return { port, pids: [pid], headers, log }
  },
}
