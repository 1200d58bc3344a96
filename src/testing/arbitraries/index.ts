/**
 * What authors of clients, poolers and servers need to state properties of theirs: `pg-deadline/testing/arbitraries`. Apart from
 * `pg-deadline/testing`, since it needs fast-check.
 */
export { arbitraryBackendMessage } from './backend-message.ts'
export { arbitraryBody } from './body.ts'
export { GENERATED_CLIENT_PROPERTIES } from './client-properties.ts'
export { arbitraryDamage } from './damage.ts'
export { arbitraryFaultPlan, arbitraryPatientPlan, type FaultPlanBounds } from './fault-plan.ts'
export {
  arbitraryFaultyHandshake,
  type FaultyHandshake,
  faultyHandshake,
  flightsWith,
  type HandshakeFault,
  handshakeFaults,
} from './faulty-handshake.ts'
export {
  arbitraryFaultyScramExchange,
  type FaultyScramExchange,
  faultsOf,
  type ScramFault,
} from './faulty-scram-exchange.ts'
export { arbitraryFrontendMessage } from './frontend-message.ts'
export {
  type Awaited,
  arbitraryHandshake,
  completeHandshake,
  type Flight,
  type Handshake,
  type HandshakeClient,
  type HandshakeParts,
} from './handshake.ts'
export { handshakeScript } from './handshake-script.ts'
export { arbitraryMessage, arbitraryOf, arbitraryText } from './message.ts'
export { arbitraryPassword, type Password } from './password.ts'
export { arbitrarySchedule, type Occurrence, type Schedule, type ScheduleBounds } from './schedule.ts'
export { arbitraryScramExchange, completeScram, type ScramExchange, type ScramParts } from './scram-exchange.ts'
export { arbitrarySegmentation, type Segmentation, segment } from './segmentation.ts'
export { arbitraryServerProfile, type ServerProfile } from './server-profile.ts'
export { GENERATED_SERVER_PROPERTIES } from './server-properties.ts'
export { arbitraryStartupPacket } from './startup-packet.ts'
export { arbitraryStartupParameters, type StartupParameter } from './startup-parameters.ts'
