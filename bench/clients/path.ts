/** A slow path in a process of its own: what it costs is not the client's. */
import { LatencyProxy, type LatencyProxyOptions, type ProxyTarget } from '../../src/testing/latency-proxy.ts'

/** What its one argument says, as JSON. */
export interface PathOptions {
  readonly target: ProxyTarget
  readonly options: Pick<LatencyProxyOptions, 'roundTripMs' | 'jitterMs' | 'seed'>
}

const { target, options }: PathOptions = JSON.parse(process.argv[2] ?? '')
const { port } = await LatencyProxy.listen(target, options)
process.send?.({ port })
process.once('disconnect', () => process.exit())
