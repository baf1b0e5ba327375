import { reasonOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { ServedDevice } from './device.ts';
import { cautions } from './servable.ts';

/** IFLA_BRPORT_MULTICAST_ROUTER: this port gets all multicast, whatever snooping has learned. */
const PERMANENT_ROUTER_PORT = 2;

/**
 * Makes a device that begins to be served fit for it, and says what was set and what is left to its operator.
 *
 * With an MLD querier on the bridge neighbour solicitations go to router ports and known listeners only, and the
 * VXLAN device is neither: IPv6 misses vanish unless its port is made a router port.
 */
export function prepare(device: ServedDevice, log: Logger): void {
  const { link, name } = device;
  const { vni, local } = link.vxlan;
  const ahead = device.strategy === 'miss' ? '' : `, strategy ${device.strategy}`;
  log.info(`serving ${name}, VNI ${vni}${local === undefined ? '' : `, local ${local}`}${ahead}`);
  for (const caution of cautions(link, device.strategy)) log.warn(`${name} ${caution}`);
  preparePort(device, log);
}

/** The part of it that is the bridge port's, and is lost with the bridge. */
export function preparePort(device: ServedDevice, log: Logger): void {
  const { link, name, namespace } = device;
  if (device.bridge === 0 || link.bridgePort?.multicastRouter === PERMANENT_ROUTER_PORT) return;
  try {
    namespace.kernel.setMulticastRouter(link.ifindex, PERMANENT_ROUTER_PORT);
    log.info(`${name}: set mcast_router 2 on its bridge port, so that neighbour solicitations reach it`);
  } catch (error) {
    log.warn(`${name}: mcast_router could not be set: ${reasonOf(error)}`);
  }
}
