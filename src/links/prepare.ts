import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { ServedDevice } from '../model/device.ts';
import { cautions } from './servable.ts';
import { APP_SOLICIT, PERMANENT_ROUTER_PORT, type Setting } from '../model/device-settings.ts';

/**
 * Sets up a newly served device, and logs what was set and what the operator should change.
 * @param devices all served devices, including this one
 */
export function prepare(device: ServedDevice, devices: readonly ServedDevice[], log: Logger): void {
  const { link, name } = device;
  const { vni, local } = link.vxlan;
  const preload = device.strategy === 'miss' ? '' : `, strategy ${device.strategy}`;
  log.info(`serving ${name}, VNI ${vni}${local === undefined ? '' : `, local ${local}`}${preload}`);
  for (const caution of cautions(link, device.strategy)) log.warn(`${name} ${caution}`);
  const twin = devices.find((one) => one !== device && one.vni === vni);
  if (twin !== undefined)
    log.warn(`${name} has VNI ${vni} as ${twin.name} has: both follow the same records`);
  prepareTopology(device, log);
}

/** The part that depends on the device's bridge, or on having none. */
export function prepareTopology(device: ServedDevice, log: Logger): void {
  if (device.bridge === 0) prepareRouted(device, log);
  else preparePort(device, log);
}

/**
 * With an MLD querier on the bridge neighbour solicitations go to router ports and known listeners only, and the
 * VXLAN device is neither: IPv6 misses vanish unless its port is made a router port.
 */
function preparePort(device: ServedDevice, log: Logger): void {
  const { link, name, namespace } = device;
  const before = link.bridgePort?.multicastRouter ?? PERMANENT_ROUTER_PORT;
  if (before === PERMANENT_ROUTER_PORT) return;
  note(device, { name: 'mcast_router', bridge: device.bridge, before }, log);
  try {
    namespace.kernel.setMulticastRouter(link.ifindex, PERMANENT_ROUTER_PORT);
    log.info(`${name}: set mcast_router 2 on its bridge port, so that neighbour solicitations reach it`);
  } catch (error) {
    log.warn(`${name}: mcast_router could not be set: ${reasonOf(error)}`);
  }
}

/**
 * For packets that the host routes through the device, the kernel sends ARP on the wire, and the device raises no miss.
 * With `app_solicit` the kernel's neighbour table asks user space first.
 */
function prepareRouted(device: ServedDevice, log: Logger): void {
  const { link, name, namespace } = device;
  // A device that is down may be new, and become a port of a bridge a moment later.
  if (!link.vxlan.l3miss || !link.up) return;
  for (const family of [4, 6] as const) {
    try {
      // Another number may have been set on purpose.
      if (namespace.kernel.getAppSolicit(link.ifindex, family) !== 0) continue;
      note(device, { name: 'app_solicit', family }, log);
      namespace.kernel.setAppSolicit(link.ifindex, family, APP_SOLICIT);
      log.info(
        `${name}: set app_solicit ${APP_SOLICIT} for IPv${family}, so that the kernel asks missd for what it routes`,
      );
    } catch (error) {
      log.warn(`${name}: app_solicit could not be set for IPv${family}: ${reasonOf(error)}`);
    }
  }
}

/** Notes a setting so that a flush can undo it, even after a restart. */
function note({ name, settings }: ServedDevice, setting: Setting, log: Logger): void {
  try {
    settings.note(setting);
  } catch (error) {
    log.warn(`${name}: a flush after a restart cannot undo ${setting.name}: ${reasonOf(error)}`);
  }
}
