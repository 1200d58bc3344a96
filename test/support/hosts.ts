/** Several hosts for a world, each of them with what stands there; and what became of every visit. */
import type { Runtime } from '../../src/attempt.ts'
import type { Deadline } from '../../src/net/deadline.ts'
import type { Destination } from '../../src/net/dial.ts'
import { TransportError } from '../../src/net/transport.ts'
import { until } from '../../src/net/until.ts'
import { ScriptedServer } from './scripted-server.ts'
import { type World, worldOf } from './world.ts'

/** Servers for the first dial, the second and so on; or nobody who answers; or nobody who listens. */
export type Place = readonly ScriptedServer[] | 'a black hole' | 'closed'

export interface Visited {
  /** The host's name, or the path of its socket. */
  readonly place: string
  readonly atMs: number
  readonly destination: Destination
  readonly slice: Deadline
}

export interface HostsWorld extends World {
  /** Every dial, in order. */
  readonly visited: readonly Visited[]
  /** Dials that have not come to an end. */
  readonly dialing: () => number
  /** Milliseconds since the world began. */
  readonly elapsedMs: () => number
}

/** A world in which a host is what `places` says of its name. */
export function worldOfHosts(places: Readonly<Record<string, Place>>, changes: Partial<Runtime> = {}): HostsWorld {
  const visited: Visited[] = []
  let dialing = 0
  const left = new Map(Object.entries(places).map(([name, place]) => [name, Array.isArray(place) ? [...place] : place]))

  const dial: Runtime['dial'] = async (destination, slice) => {
    const { endpoint } = destination
    const place = endpoint.transport === 'unix' ? endpoint.path : endpoint.host
    visited.push({ place, atMs: world.clock.now() - startedMs, destination, slice })
    dialing += 1
    try {
      const there = left.get(place)
      if (there === 'a black hole') return await until<never>(slice.signal, () => () => {})
      if (there === 'closed') throw new TransportError('ECONNREFUSED', `connect ECONNREFUSED ${place}`)
      const server = (there as ScriptedServer[] | undefined)?.shift()
      if (server === undefined) throw new TypeError(`nobody has put a server at ${place} for this visit`)
      return await server.dial(destination, slice)
    } finally {
      dialing -= 1
    }
  }

  const world = worldOf(new ScriptedServer(() => {}), { dial, ...changes })
  const startedMs = world.clock.now()
  return { ...world, visited, dialing: () => dialing, elapsedMs: () => world.clock.now() - startedMs }
}

/** A server that answers the StartupMessage with this refusal. */
export function refusing(sqlstate: string): ScriptedServer {
  return new ScriptedServer((self, { type }) => {
    if (type === 'SSLRequest') self.sendBytes(Buffer.from('N'))
    if (type !== 'StartupMessage') return
    const fields = [
      { code: 'S', value: 'FATAL' },
      { code: 'C', value: sqlstate },
      { code: 'M', value: 'no' },
    ]
    self.send({ type: 'ErrorResponse', fields })
  })
}
