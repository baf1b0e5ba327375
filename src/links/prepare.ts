import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { ServedDevice } from '../model/device.ts';
import { cautions } from './servable.ts';
import { APP_SOLICIT, PERMANENT_ROUTER_PORT, type Setting } from '../model/device-settings.ts';

/**
 * Makes a device that begins to be served fit for it, and says what was set and what is left to its operator.
 * @param devices all that are served, this one too
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

/** The part of it that depends on whether the device is a bridge's port, and of which one. */
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
 * What the host itself routes through the device it asks for as of any neighbour, on the wire: the device raises no
 * miss for that. It is the neighbour table that asks user space, where it is told to.
 */
function prepareRouted(device: ServedDevice, log: Logger): void {
  const { link, name, namespace } = device;
  // One that is down has perhaps just been made, and is a bridge's port a moment later.
  if (!link.vxlan.l3miss || !link.up) return;
  for (const family of [4, 6] as const) {
    try {
      // Whoever set it before us may have had a reason for another number.
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

/** So that a flush can undo it, after a restart, too. */
function note({ name, settings }: ServedDevice, setting: Setting, log: Logger): void {
  try {
    settings.note(setting);
  } catch (error) {
    log.warn(`${name}: after a restart nobody will know that ${setting.name} was set: ${reasonOf(error)}`);
  }
}
