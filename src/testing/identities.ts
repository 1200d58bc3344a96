/** The certificates that servers of the catalogue show, made once, when first needed. */
import { type CertificateOptions, type IssuedCertificate, issueCertificate } from './certificate.ts'

const NAMES = ['localhost', '127.0.0.1']

/** The authority that a target's AUTHORITY_FILE stands for. */
export const authority = once({ commonName: 'authority of the tests', isAuthority: true })
/** What an honest server shows: signed by the authority, in time, for this host. */
export const honest = once({ commonName: 'localhost', names: NAMES }, authority)
export const selfSigned = once({ commonName: 'localhost', names: NAMES })
/** An authority with the trusted one's name and another key. */
const namesake = once({ commonName: 'authority of the tests', isAuthority: true })
export const fromNamesake = once({ commonName: 'localhost', names: NAMES }, namesake)
export const expired = once(
  { commonName: 'localhost', names: NAMES, notBefore: '20000101000000Z', notAfter: '20010101000000Z' },
  authority,
)
export const notYetValid = once({ commonName: 'localhost', names: NAMES, notBefore: '20980101000000Z' }, authority)
export const wrongHost = once({ commonName: 'db.example', names: ['db.example', '192.0.2.1'] }, authority)
/** The host's address as a name, which is not what it is: RFC 6125 section 6.4.4, #LIBPQ-CONNECT-SSLMODE. */
export const hostInCommonNameOnly = once({ commonName: '127.0.0.1', names: ['db.example'] }, authority)
export const controlCharacters = once({ commonName: '\x1b[2J\u202eowned\r', names: ['db.example'] }, authority)
export const controlCharactersAlone = once({ commonName: '\x1b[2J\u202eowned\r' }, authority)
/** Signed with an algorithm that names no hash: there is nothing to bind a channel to (RFC 5929 section 4.1). */
export const ed25519 = once({ commonName: 'localhost', names: NAMES, keyType: 'ed25519' })

function once(options: CertificateOptions, issuer?: () => IssuedCertificate): () => IssuedCertificate {
  let issued: IssuedCertificate | undefined
  return () => {
    issued ??= issueCertificate(issuer === undefined ? options : { ...options, issuer: issuer() })
    return issued
  }
}
