/**
 * Pgpool-II with one server behind it: it authenticates clients itself, by its own pool_hba.conf, and speaks to the server for
 * them. https://www.pgpool.net/docs/43/en/html/runtime-config.html
 */
import { join } from 'node:path'
import type { PoolerKind } from './pooler.ts'

export const PGPOOL: PoolerKind = {
  name: 'Pgpool-II',
  program: 'pgpool',
  up: /pgpool-II successfully started/,
  stopSignal: 'SIGQUIT',
  pidFile: 'pgpool.pid',
  configure({ server, passwords, hba, certificate }, { directory, host, port, write }) {
    // auth-methods.html: a password behind TEXT is one in the clear, from which it can do md5 and SCRAM at both ends.
    const users = Object.entries(passwords).map(([user, password]) => `${user}:TEXT${password}\n`)
    const settings = {
      listen_addresses: host,
      port,
      socket_dir: directory,
      pcp_listen_addresses: '',
      pcp_socket_dir: directory,
      pid_file_name: join(directory, 'pgpool.pid'),
      logdir: directory,
      work_dir: directory,
      backend_clustering_mode: 'raw',
      backend_hostname0: server.host,
      backend_port0: server.port,
      // A process serves one client at a time.
      num_init_children: 8,
      max_pool: 1,
      // Of the shared memory in which it caches, otherwise 128 MB.
      memqcache_total_size: '4MB',
      memqcache_max_num_cache: 1000,
      enable_pool_hba: 'on',
      pool_passwd: write('pool_passwd', users.join('')),
      ...(certificate && {
        ssl: 'on',
        ssl_cert: write('server.crt', certificate.crt),
        ssl_key: write('server.key', certificate.key),
      }),
    }
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`)
    return ['-n', '-f', write('pgpool.conf', lines.join('')), '-a', write('pool_hba.conf', `${hba.join('\n')}\n`)]
  },
}
