/** What authors of clients, poolers and servers need to find out what theirs survives: `pg-deadline/testing`. */
export type { ClientAdapter, ClientConnection, ClientTarget, ServerAdapter, ServerAddress } from './adapter.ts'
export { honestLogin } from './approach.ts'
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
export { CLIENT_PROPERTIES, type ClientSubject } from './client-properties.ts'
export { encodeBackend, frame } from './encode-backend.ts'
export type { ExamineOptions, Property, Terms, Trial } from './examine.ts'
export { type ExamineClientOptions, examineClient } from './examine-client.ts'
export { type ExamineServerOptions, examineServer } from './examine-server.ts'
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
export { describeReport, type PropertyReport, type Report, type Violation } from './report.ts'
export { type AttackEnding, type AttackVerdict, type RunAttacksOptions, runAttacks } from './run-attacks.ts'
export {
  type ScramOptions,
  ScramServer,
  type ServerFinalParts,
  type ServerFirstParts,
  scramKeys,
} from './scram-server.ts'
export { SERVER_PROPERTIES } from './server-properties.ts'
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
