// Certificate authorities and what they issue, made with openssl.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
const openssl = (...args) => execFileSync('openssl', args, { stdio: 'ignore' })

/// An authority in files of dir. issue(name): a server's certificate for that host name or address.
export function makeAuthority(dir, name) {
  const file = (end) => join(dir, `${name}.${end}`)
  openssl('req', '-x509', ...ec, '-keyout', file('key'), '-out', file('crt'), '-subj', `/CN=${name}`)
  return {
    file: file('crt'),
    issue(host) {
      const own = (end) => join(dir, `${name}-${host}.${end}`)
      const san = /^[0-9.]+$/.test(host) ? `IP:${host}` : `DNS:${host}`
      openssl('req', '-x509', ...ec, '-CA', file('crt'), '-CAkey', file('key'), '-keyout', own('key'), '-out', own('crt'), '-subj', `/CN=${host}`,
        '-addext', `subjectAltName=${san}`, '-addext', 'basicConstraints=critical,CA:FALSE')
      return { key: own('key'), cert: own('crt') }
    },
  }
}
