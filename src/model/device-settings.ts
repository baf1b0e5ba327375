/**
 * The settings that missd has changed on a device, with the earlier values, so that a flush can undo them. The file lies
 * beside the journal of the device, so that the next daemon finds it. A setting without a note is not undone: the same
 * number may be an operator's.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { isGone, type Namespace } from '../kernel/kernel.ts';
import type { Link } from '../base/vocabulary.ts';
import { MOST_BYTES, readOwnFile } from '../base/read-text.ts';

/** Solicitations that the kernel sends to missd, one a second, before it asks on the wire; Flannel used the same number. */
export const APP_SOLICIT = 3;

/** IFLA_BRPORT_MULTICAST_ROUTER: this port gets all multicast, whatever snooping has learned. */
export const PERMANENT_ROUTER_PORT = 2;

/** `app_solicit` is only set where it was 0. */
export type Setting =
  | { name: 'app_solicit'; family: 4 | 6 }
  /** Set on the device's port of this bridge. */
  | { name: 'mcast_router'; bridge: number; before: number };

const LINE = /^(?:app_solicit (4|6)|mcast_router (\d{1,10}) (\d))$/;

export class Settings {
  readonly #file: { path: string; key: string } | undefined;
  #lines = new Map<string, Setting>();

  /** @param file without one it is forgotten with the process; the key is the device's, of whose life the file is */
  constructor(file?: { path: string; key: string }) {
    this.#file = file;
    if (file === undefined) return;
    const [head, ...lines] = readIfThere(file.path).split('\n');
    if (head !== headOf(file.key)) return;
    for (const line of lines) {
      const setting = parse(line);
      if (setting !== undefined) this.#lines.set(slotOf(setting), setting);
    }
  }

  /**
   * Notes a setting before the kernel gets it.
   * @throws where the file cannot be written; the process remembers the setting even then
   */
  note(setting: Setting): void {
    this.#lines.set(slotOf(setting), setting);
    if (this.#file === undefined) return;
    const { path, key } = this.#file;
    const text = [headOf(key), ...[...this.#lines.values()].map(lineOf), ''].join('\n');
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  /**
   * Undoes the settings that still have missd's value.
   * @returns the undone settings, as text
   * @throws KernelError
   */
  undo(kernel: Namespace, link: Link): string[] {
    const undone: string[] = [];
    for (const setting of this.#lines.values()) {
      try {
        if (undo(setting, kernel, link)) undone.push(wordsOf(setting));
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    }
    this.#lines.clear();
    if (this.#file !== undefined) rmSync(this.#file.path, { force: true });
    return undone;
  }
}

function undo(setting: Setting, kernel: Namespace, { ifindex, master, bridgePort }: Link): boolean {
  if (setting.name === 'app_solicit') {
    if (kernel.getAppSolicit(ifindex, setting.family) !== APP_SOLICIT) return false;
    kernel.setAppSolicit(ifindex, setting.family, 0);
    return true;
  }
  if (master !== setting.bridge || bridgePort?.multicastRouter !== PERMANENT_ROUTER_PORT) return false;
  kernel.setMulticastRouter(ifindex, routerOf(setting.before));
  return true;
}

/** A router that was only learned (3) is learned again. */
const routerOf = (before: number): 0 | 1 => (before === 0 ? 0 : 1);

const slotOf = (setting: Setting): string =>
  setting.name === 'app_solicit' ? `${setting.name} ${setting.family}` : setting.name;

const wordsOf = (setting: Setting): string =>
  setting.name === 'app_solicit'
    ? `app_solicit 0 for IPv${setting.family}`
    : `mcast_router ${routerOf(setting.before)}`;

const headOf = (key: string): string => `missd settings 1 ${key}`;

const lineOf = (setting: Setting): string =>
  setting.name === 'app_solicit'
    ? `app_solicit ${setting.family}`
    : `mcast_router ${setting.bridge} ${setting.before}`;

function parse(line: string): Setting | undefined {
  const [, family, bridge, before] = LINE.exec(line) ?? [];
  if (family !== undefined) return { name: 'app_solicit', family: family === '4' ? 4 : 6 };
  if (bridge === undefined) return undefined;
  return { name: 'mcast_router', bridge: Number(bridge), before: Number(before) };
}

/** An unreadable file counts as empty. */
function readIfThere(path: string): string {
  try {
    return readOwnFile(path, MOST_BYTES) ?? '';
  } catch {
    return '';
  }
}
