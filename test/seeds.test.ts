// What the five documents (OMERO twice, OHIF, Orthanc, Check Point) say must work, and the test that shows each statement.
// A row whose test was renamed or removed is red: a statement without a test is only a promise.
import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'

const rows: readonly (readonly [statement: string, file: string, title: string])[] = [
  [
    '000 server.pem and server.key as server.p12 with a password',
    'test/tls/keystore.test.ts',
    'is a pair of PEM files, one PEM with both in either order, or PKCS#12',
  ],
  [
    '000 a keystore as PKCS#12, before a real Glacier2',
    'test/real/glacier2-sessions-over-tls.test.ts',
    'a session, a call, a call back and a large argument',
  ],
  [
    '000 IceSSL.Ciphers HIGH, Protocols tls1_2, ProtocolVersionMin and Max',
    'test/tls/protocol-floor.test.ts',
    '000: Protocols tls1_2, ProtocolVersionMin and Max, HIGH!DHE',
  ],
  [
    '000 floor and ceiling are both honoured',
    'test/config/protocol.test.ts',
    '000: Protocols tls1_2 with ProtocolVersionMin and ProtocolVersionMax tls1_2',
  ],
  [
    '000 DefaultDir, CertFile, Password, CAs, Ciphers, Protocols as omero config set',
    'test/cli/certs-omero.test.ts',
    'prints the settings in their order',
  ],
  [
    '000 a real glacier2router loads them',
    'test/real/omero-server-loads-our-certificate.test.ts',
    'a client that checks chain and name opens a session',
  ],
  ['000 CAs cacert.pem', 'test/cli/certs-peer.test.ts', '000 CAs'],
  ['000 UsePlatformCAs=1', 'test/tls/peer-trust.test.ts', '000 UsePlatformCAs'],
  [
    '000 VerifyDepthMax, the leaf counted, 0 without limit',
    'test/tls/peer-trust.test.ts',
    '000 VerifyDepthMax counts the leaf and the root',
  ],
  ['000 CheckCertName=1', 'test/tls/peer-trust.test.ts', '000 CheckCertName: the address is in the certificate'],
  ['000 TrustOnly=CN=a;CN=*.b', 'test/tls/peer-trust.test.ts', '000 TrustOnly: CN=*.b is the wildcard certificate'],
  [
    '000 TrustOnly on a listener',
    'test/behaviour/certificate-rules.test.ts',
    'admits and rejects by subject, as IceSSL.TrustOnly does',
  ],
  ['000 where HIGH is not known: AES256 or AES_256', 'test/tls/cipher-words.test.ts', 'a family: AES256, AES_256'],
  [
    '001 SSL_PORT means TLS, the two fixed paths',
    'test/cli/ohif-settings.test.ts',
    'SSL_PORT means TLS on that port with the two fixed paths',
  ],
  [
    '001 without SSL_PORT it is HTTP, even if both files are mounted',
    'test/cli/ohif-environment-as-image.test.ts',
    'seed 001: without SSL_PORT it is HTTP',
  ],
  [
    '001 CA-issued and self-signed alike',
    'test/cli/ohif-environment.test.ts',
    'seed 001: a certificate of a CA is served with its chain',
  ],
  [
    '001 a key that cannot be read: path, owner and mode',
    'test/cli/ohif-environment-as-image.test.ts',
    'seed 001: a key that cannot be read',
  ],
  ['001 the address as Common Name: in the SAN', 'test/cli/ohif-environment.test.ts', 'has the address in its SAN'],
  [
    '002 SslCertificate: one PEM, the private key first',
    'test/real/orthanc-book-https.test.ts',
    'one PEM with key and certificate, in either order',
  ],
  [
    '002 SslEnabled and SslCertificate are imported',
    'test/import/orthanc-book.test.ts',
    'SslEnabled and SslCertificate: one PEM, private key first',
  ],
  [
    '002 plain HTTP to the TLS port is told to use https',
    'test/attack/a-handshake-in-pieces-meets-the-same-terms.test.ts',
    'tells plain HTTP to use https',
  ],
  [
    '002 self-signed fails without --cacert',
    'test/real/orthanc-book-https.test.ts',
    'made by the commands of the book',
  ],
  [
    '002 a peer with HttpsCACertificates',
    'test/real/orthanc-book-https.test.ts',
    'an upstream is trusted by the file of HttpsCACertificates',
  ],
  [
    '002 a real peer through the gate',
    'test/real/orthanc-peers.test.ts',
    'Orthanc as a peer of Orthanc, through the gate',
  ],
  [
    '002 SslVerifyPeers: bare leafs or CAs in one PEM',
    'test/identity/client-certificate.test.ts',
    'trusted as it is needs neither authority nor purpose',
  ],
  [
    '002 a peer with CertificateFile, CertificateKeyFile and an empty password',
    'test/import/orthanc-book.test.ts',
    'an empty password, which is none',
  ],
  [
    '002 client.p12, self-signed, without EKU and SAN',
    'test/real/orthanc-book-https.test.ts',
    'a self-signed client certificate without SAN and extended key usage',
  ],
  ['002 the same in a browser', 'test/real/orthanc-book-https.test.ts', 'a browser with client.p12 comes in'],
  ['003 SHA-1 compared without colons and case', 'test/tls/peer-trust.test.ts', '003 SHA-1 without colons, lower case'],
  ['003 fingerprint mismatch, expected and actual', 'test/tls/peer-trust.test.ts', '003 fingerprint mismatch'],
  ['003 no fingerprint, no check of it', 'test/tls/peer-trust.test.ts', '003 no pin, no check of a fingerprint'],
  [
    '003 on the same socket, before a byte',
    'test/attack/an-upstream-cannot-be-swapped.test.ts',
    'another certificate between two requests is refused before a byte',
  ],
  ['003 api fingerprint on the server', 'test/cli/certs-show.test.ts', 'show reads what a listener shows'],
  ['003 get_fingerprint_hash for a remote server', 'test/cli/certs-peer.test.ts', 'certs fetch shows what is sent'],
  [
    '004 everybody under the base may log in, restricted by a filter',
    'test/behaviour/signing-in-as-with-omero.test.ts',
    'a user filter that admits one entry admits that one',
  ],
  [
    '004 new_user_group=:query:(member=@{dn})',
    'test/ldap/groups.test.ts',
    '004 :query: is joined with the group filter',
  ],
  [
    '004 on the first login the user is created and added to the groups that match',
    'test/behaviour/signing-in-as-with-omero.test.ts',
    'a literal group',
  ],
  [
    '004 a name that exists as a local user is not asked of LDAP',
    'test/behaviour/signing-in-to-one-realm.test.ts',
    'a local account is never looked up',
  ],
  [
    '004 on later logins filter and password are checked again, and refused without a match',
    'test/behaviour/signing-in-as-with-omero.test.ts',
    'a filter that matches no longer refuses',
  ],
  [
    '004 existing users become LDAP users (setdn), and back',
    'test/cli/accounts.test.ts',
    'a local account that is linked lies dormant, and wakes up with its old password',
  ],
  [
    '004 omero ldap create: an account without a login',
    'test/cli/accounts.test.ts',
    'create makes the account that a sign-in would make, or none',
  ],
  [
    '004 the minimum of settings, and their defaults',
    'test/ldap/directory-plan.test.ts',
    "OMERO's own defaults are a plan",
  ],
  [
    '004 config=false switches LDAP off',
    'test/import/omero-directory.test.ts',
    'omero.ldap.config: true, false, absent',
  ],
  ['004 no users or groups are found outside of the base', 'test/ldap/groups.test.ts', 'lies outside of the base'],
  [
    '004 the username query: (&(objectClass=person)(cn=[login name])), exactly one',
    'test/ldap/directory.test.ts',
    'a name that two entries bear is nobody',
  ],
  [
    '004 user_mapping: omeName is another attribute',
    'test/behaviour/signing-in-as-with-omero.test.ts',
    'omeName is givenName',
  ],
  ['004 no prefix: one group for all', 'test/ldap/groups.test.ts', '004 no prefix'],
  ['004 :ou: the last organizational unit', 'test/ldap/groups.test.ts', '004 :ou:'],
  ['004 :attribute: all values', 'test/ldap/groups.test.ts', '004 :attribute:'],
  ['004 :filtered_attribute:', 'test/ldap/groups.test.ts', '004 :filtered_attribute:'],
  ['004 :dn_attribute: by the group mapping', 'test/ldap/groups.test.ts', '004 :dn_attribute: the part of the DN'],
  [
    '004 an attribute that is no part of the DN is found by :attribute: only',
    'test/ldap/groups.test.ts',
    'or without the attribute, is passed over and told',
  ],
  ['004 :filtered_dn_attribute:', 'test/ldap/groups.test.ts', '004 :filtered_dn_attribute:'],
  [
    '004 place holders @{cn}, @{email}, @{dn}',
    'test/behaviour/signing-in-as-with-omero.test.ts',
    ':query: with a name of the mapping',
  ],
  ['004 :bean: an implementation of the site', 'test/ldap/groups.test.ts', ':bean: is a function of a module'],
  ['004 two filters side by side are no filter', 'test/ldap/filter.test.ts', 'side by side'],
  [
    '004 the list restricted to groups that the filter finds',
    'test/behaviour/signing-in-as-with-omero.test.ts',
    ':filtered_dn_attribute:, those that are groups by the filter',
  ],
  [
    '004 JSmith and jsmith are two',
    'test/behaviour/signing-in-as-with-omero.test.ts',
    'without ignoreCase a name in other letters is nobody',
  ],
  [
    '004 ignore_case',
    'test/behaviour/signing-in-as-with-omero.test.ts',
    'with ignoreCase a name in capitals is that person',
  ],
  [
    '004 ignore_case: local names in capitals cannot log in',
    'test/identity/inspect-names.test.ts',
    'check finds them in users.yaml and in the rules, only with ignoreCase',
  ],
  [
    '004 LDAP over SSL',
    'test/ldap/directory-tls.test.ts',
    'over ldaps a directory with a certificate of the right authority answers',
  ],
  ['004 key and trust store of Java', 'test/import/omero-directory.test.ts', 'stores of Java become PEM'],
  [
    '004 sync_on_login: the directory is the authority on groups',
    'test/behaviour/signing-in-as-with-omero.test.ts',
    'sync_on_login: a membership is removed and restored',
  ],
  [
    '004 sync_on_login: who was removed by an administrator is added again',
    'test/behaviour/signing-in-as-with-omero.test.ts',
    'sync_on_login: a membership is removed and restored',
  ],
  [
    '004 chainedPasswordProvider: LDAP, then local',
    'test/import/omero-rest.test.ts',
    'each provider of OMERO has its like',
  ],
  ['004 chainedPasswordProviderNoSalt', 'test/config/broken.yaml', 'chainedPasswordProviderNoSalt is not to be had'],
  [
    '004 chainedPasswordProvider431: the filter at the first login only',
    'test/behaviour/signing-in-to-one-realm.test.ts',
    'chained431 binds the remembered entry as it is',
  ],
  [
    '004 431: the name may differ from the one in LDAP',
    'test/cli/accounts.test.ts',
    'chained431 remembers the entry, so it may be called otherwise',
  ],
  ['004 referrals', 'test/ldap/servers-referral.test.ts', 'ignore: what lies elsewhere is missing'],
  ['004 Active Directory', 'test/real/active-directory.test.ts', 'somebody is found by sAMAccountName or by UPN'],
  [
    '004 Global Catalogue, 3268 and 3269',
    'test/real/active-directory.test.ts',
    'Global Catalogue on 3268 with StartTLS and on 3269',
  ],
  [
    '004 omero config set as the manual has it',
    'test/import/omero-directory.test.ts',
    'the settings of the manual, word for word',
  ],
]

t.test('each statement of the documents is shown by a test', async t => {
  for (const [statement, file, title] of rows) {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    t.ok(text !== '' && text.includes(title), `${statement}: ${file}, "${title}"`)
  }
})
