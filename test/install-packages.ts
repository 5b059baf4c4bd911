/**
 * Installs the Debian packages that the tests need, so that `npm test` on a fresh machine tests the real parts.
 *
 * Where it cannot install (not root, no apt-get) it says in one line what is missing and lets the tests skip; with
 * REQUIRE_REAL=1 that is a failure.
 */
import { installDebianPackages } from '../src/demo/debian-packages.ts'

const packages: Readonly<Record<string, string>> = {
  orthanc: 'the archive behind the gateway',
  'orthanc-dicomweb': 'QIDO, WADO and STOW on it; the viewer speaks nothing else',
  dcmtk: 'DICOM over TLS (echoscu, storescu), and dcmftest to judge the sample study',
  'python3-pydicom': 'a second reader that judges the sample study',
  'python3-numpy': 'lets pydicom unpack pixels',
  chromium: 'a real browser with client certificates',
  'fonts-dejavu-core': 'text on the screenshots',
  'redis-server': 'the state that several gateways share',
  'libnss3-tools': 'certutil and pk12util fill the certificate store of Chromium',
  slapd: 'the directory behind the sign-in',
  'ldap-utils': 'seeds the directory and asks whether it is up',
  samba: 'an Active Directory behind the sign-in',
  'samba-ad-dc': 'makes Samba a domain controller',
  'samba-ad-provision': 'the schema of Active Directory, for a new domain',
  'samba-dsdb-modules': 'the rules of its database',
  'samba-vfs-modules': 'provisioning sets rights on files through them',
  winbind: 'names and numbers of its accounts',
  'krb5-user': 'what samba-tool expects beside a domain',
  'python3-samba': 'seeds the domain',
  'python3-django': 'the framework of OMERO.web, for its stand-in',
  gunicorn: 'the server of OMERO.web, for its stand-in',
  sslscan: 'which protocols, suites and groups a listener really offers',
  'testssl.sh': 'what an auditor would find on a listener',
  slowhttptest: 'slow clients that are not ours',
  'nginx-light': 'a TLS upstream, and what Orthanc documents as its proxy',
  haproxy: 'a balancer of layer 4 in front, and a proxy to compare with',
  pebble: 'an ACME authority',
  'zeroc-glacier2': 'the router of OMERO.server',
  'zeroc-ice-slice': 'the definitions that Ice programs are built on',
  'python3-zeroc-ice': 'an Ice client and server, as OMERO has',
  'firefox-esr': 'a second real browser, with a certificate store of its own',
  'default-jre-headless': 'keytool: whether Java takes what we issue',
  systemd: 'systemd-analyze: whether it takes our unit, and how it rates it',
  'nghttp2-client': 'h2load, the load of the benchmark over HTTP/2',
  wrk: 'its load over HTTP/1.1',
  apache2: 'a gateway to compare with',
  caddy: 'another one',
  openssl: 'a TLS client, and an authority, that are not ours',
  curl: 'an HTTP client that is not ours',
}

const say = (line: string) => process.stderr.write(`test packages: ${line}\n`)
const missing = installDebianPackages(Object.keys(packages), say)
if (missing.length > 0) {
  const strict = process.env['REQUIRE_REAL'] === '1'
  say(`not installed: ${missing.join(' ')}; tests that need them ${strict ? 'would not run' : 'will be skipped'}`)
  process.exitCode = strict ? 1 : 0
}
