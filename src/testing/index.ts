/** What authors of clients need to find out what theirs survives: `pg-deadline/testing`. */
export {
  type Attack,
  AUTHORITY_FILE,
  BASE,
  PASSWORD,
  type Requirement,
  type Theme,
  type Verdict,
} from './attack.ts'
export { ATTACKS } from './attacks.ts'
export { type CertificateOptions, type IssuedCertificate, issueCertificate } from './certificate.ts'
export { encodeBackend, frame } from './encode-backend.ts'
export {
  type Direction,
  type FaultPlan,
  FaultProxy,
  type FaultProxyOptions,
  type ProxiedConnection,
  type StreamFault,
} from './fault-proxy.ts'
export { HostileServer, type HostileServerOptions, type Visit } from './hostile-server.ts'
export { authority } from './identities.ts'
export { LatencyProxy, type LatencyProxyOptions, type MeasuredConnection, type ProxyTarget } from './latency-proxy.ts'
export { ClientGone, type Line } from './line.ts'
export { Peer, type Script } from './peer.ts'
export {
  type ScramOptions,
  ScramServer,
  type ServerFinalParts,
  type ServerFirstParts,
  scramKeys,
} from './scram-server.ts'
export type { ServerTlsOptions } from './server-tls.ts'
export type {
  AddressPlan,
  ClientPlan,
  Expectation,
  HostPlan,
  Interruption,
  NetworkPlan,
  Plan,
  ServerPlan,
  SimulatedFault,
  SimulatedMethod,
} from './simulation/plan.ts'
export { planOf, withFault } from './simulation/plan-of.ts'
export { type Settled, type SimulationReport, simulate, simulateAll } from './simulation/simulate.ts'
