/**
 * The parameters that say whereto: hosts, and which of them is good enough; and for how long. What they mean together stands in
 * choose-hosts.ts.
 *
 * Manual: #LIBPQ-PARAMKEYWORDS.
 */
import { isIpAddress } from '../net/endpoint.ts'
import { between, boolean, choice, list, number, type Parameter, text, unchanged } from './parameter.ts'
import { unusable } from './unusable.ts'

export const WHERE_PARAMETERS = {
  host: list(
    text(
      {
        property: 'host',
        anchor: '#LIBPQ-CONNECT-HOST',
        default: "the first of /var/run/postgresql, /private/tmp (macOS), /tmp that is a directory; else 'localhost'",
        meaning:
          "Host name, IP address, or a directory beginning with '/' that holds a Unix-domain socket; or several, " +
          'separated by commas, to be tried in this order.',
      },
      (name, host) => {
        // libpq splits at commas wherever they come from, percent-encoded ones included; so no host can hold one.
        if (host.includes(',')) throw unusable(name, 'holds a comma in one element of the array; make it two elements')
        // libpq dials '@name' as a Linux abstract socket. Node wants a leading NUL, and only lately does it right.
        if (host.startsWith('@')) throw unusable(name, "names an abstract socket ('@'), which is not built yet")
        return host
      },
    ),
  ),
  hostaddr: list(
    text(
      {
        property: 'hostaddr',
        anchor: '#LIBPQ-CONNECT-HOSTADDR',
        default: 'host is looked up',
        meaning:
          'IP address to dial instead of looking up host, which remains the name that TLS verifies; or several, ' +
          'separated by commas: as many as hosts, and some may be empty.',
      },
      (name, address) => {
        // libpq takes what inet_aton takes, 127.1 too; others read such a thing differently.
        if (isIpAddress(address)) return address
        throw unusable(name, 'must be IP addresses in full, and without brackets; a name belongs in host')
      },
    ),
  ),
  port: list(
    number(
      {
        property: 'port',
        anchor: '#LIBPQ-CONNECT-PORT',
        default: '5432',
        meaning:
          "TCP port, or the number in the name of the Unix-domain socket's file; one for all hosts, or as many as " +
          'hosts, separated by commas.',
      },
      (name, port) => between(name, port, 1, 65_535),
    ),
  ),
  dbname: text(
    {
      property: 'dbname',
      anchor: '#LIBPQ-CONNECT-DBNAME',
      default: 'the same as user',
      meaning: 'Database to connect to.',
    },
    unchanged,
  ),
  user: text(
    {
      property: 'user',
      anchor: '#LIBPQ-CONNECT-USER',
      default: "the operating system's name of the current user",
      meaning: 'Database user to connect as.',
    },
    unchanged,
  ),
  service: text(
    {
      property: 'service',
      anchor: '#LIBPQ-CONNECT-SERVICE',
      default: 'none',
      meaning: 'Service in ~/.pg_service.conf whose parameters count where nothing else is given.',
    },
    unchanged,
  ),
  connect_timeout: number(
    {
      property: 'connectTimeout',
      anchor: '#LIBPQ-CONNECT-CONNECT-TIMEOUT',
      default: 'no limit of its own',
      meaning: 'Seconds for the whole connect; zero, negative or Infinity waits for ever.',
    },
    (name, seconds) => {
      if (Number.isNaN(seconds)) throw unusable(name, 'is NaN; give seconds, or 0 to wait for ever')
      return seconds
    },
  ),
  target_session_attrs: choice(
    {
      property: 'targetSessionAttrs',
      anchor: '#LIBPQ-CONNECT-TARGET-SESSION-ATTRS',
      default: 'any',
      meaning: 'Which session is good enough: any, read-write, read-only, primary, standby or prefer-standby.',
    },
    ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'],
  ),
  load_balance_hosts: choice(
    {
      property: 'loadBalanceHosts',
      anchor: '#LIBPQ-CONNECT-LOAD-BALANCE-HOSTS',
      default: 'disable',
      meaning: 'The order in which hosts and their addresses are tried: disable, as given, or random.',
    },
    ['disable', 'random'],
  ),
  keepalives: boolean(
    {
      property: 'keepalives',
      anchor: '#LIBPQ-KEEPALIVES',
      default: '1',
      meaning: 'Whether TCP asks now and then if the server is still there: 1 or 0.',
    },
    // libpq takes any other number for a 1, and the manual knows these two.
    { yes: ['1'], no: ['0'] },
  ),
  keepalives_idle: number(
    {
      property: 'keepalivesIdle',
      anchor: '#LIBPQ-KEEPALIVES-IDLE',
      default: "0, the operating system's own",
      meaning: 'Seconds without traffic after which TCP asks for the first time.',
    },
    // Linux takes no more (MAX_TCP_KEEPIDLE), and Node does not tell that it was refused.
    (name, seconds) => between(name, seconds, 0, 32_767),
  ),
} as const satisfies Readonly<Record<string, Parameter<unknown>>>
