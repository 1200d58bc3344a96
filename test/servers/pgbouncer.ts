/**
 * PgBouncer: hands out backend keys of its own, and carries cancel requests on to the server that works for the client.
 * https://www.pgbouncer.org/config.html
 */
import type { PoolerKind } from './pooler.ts'

export const PGBOUNCER: PoolerKind = {
  name: 'PgBouncer',
  program: 'pgbouncer',
  up: /process up/,
  stopSignal: 'SIGTERM',
  configure({ server, passwords, hba, certificate }, { host, port, write }) {
    const users = Object.entries(passwords).map(([user, password]) => `"${user}" "${password}"\n`)
    const settings = {
      listen_addr: host,
      listen_port: port,
      unix_socket_dir: '',
      auth_type: 'hba',
      auth_hba_file: write('hba.conf', `${hba.join('\n')}\n`),
      auth_file: write('users.txt', users.join('')),
      pool_mode: 'session',
      server_tls_sslmode: 'disable',
      ...(certificate && {
        client_tls_sslmode: 'allow',
        client_tls_cert_file: write('server.crt', certificate.crt),
        client_tls_key_file: write('server.key', certificate.key),
      }),
    }
    const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`)
    const databases = `* = host=${server.host} port=${server.port}\n`
    return [write('pgbouncer.ini', `[databases]\n${databases}[pgbouncer]\n${lines.join('')}`)]
  },
}
