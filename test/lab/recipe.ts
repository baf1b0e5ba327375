/**
 * Shell recipes as people publish them, run word for word but for three things: each host is a namespace, so the
 * namespaces of a recipe get names of the lab's; `ip netns exec` becomes nsenter; and what Docker or brctl would do is
 * done with `ip`.
 */
import type { Host } from '../../src/lab/host.ts';
import type { Lab } from '../../src/lab/lab.ts';
import type { Namespace } from '../../src/lab/namespace.ts';
import { ip } from '../../src/lab/namespace.ts';
import { type PingOptions, type Pinged, parsePing, pingArgv } from '../../src/lab/ping.ts';

export class RecipeHost {
  readonly host: Host;
  readonly #rooms = new Map<string, Namespace>();

  /** @param uplink what the recipe calls its network card, and the address it has there */
  static async build(lab: Lab, uplink: { name: string; address: string }): Promise<RecipeHost> {
    const host = await lab.addBareHost();
    await host.namespace.ip(
      ['link', 'set', 'eth0', 'down'],
      ['link', 'set', 'eth0', 'name', uplink.name],
      ['address', 'flush', 'dev', uplink.name],
      ['address', 'add', uplink.address, 'dev', uplink.name],
      ['link', 'set', uplink.name, 'up'],
    );
    return new RecipeHost(host);
  }

  private constructor(host: Host) {
    this.host = host;
  }

  /** One of the recipe's own namespaces, by the recipe's name for it. */
  room(name: string): Namespace {
    const room = this.#rooms.get(name);
    if (room === undefined) throw new Error(`the recipe has made no namespace ${name}`);
    return room;
  }

  /** Runs a recipe, a command per line; what follows a # is a remark. */
  async run(script: string): Promise<void> {
    let [where, batch]: [Namespace, string[][]] = [this.host.namespace, []];
    for (const line of script.split('\n')) {
      // Options of ip, such as -d, only change what it prints.
      const words =
        line
          .split('#')[0]
          ?.split(/\s+/)
          .filter((word) => /^[^-]/.test(word)) ?? [];
      if (words.length === 0) continue;
      if (words.join(' ').startsWith('ip netns add')) {
        await this.#add(words[3] ?? '');
        continue;
      }
      const command = this.#command(this.host.namespace, words);
      // Those in a row for one namespace go in one process.
      if (command.where !== where) {
        await where.ip(...batch);
        [where, batch] = [command.where, []];
      }
      batch.push(command.words);
    }
    await where.ip(...batch);
  }

  async ping(from: string, to: string, options: PingOptions = {}): Promise<Pinged> {
    const { stdout, stderr } = await this.room(from).attempt(pingArgv(to, options));
    return parsePing(to, stdout, stderr);
  }

  #command(where: Namespace, [program, ...words]: string[]): { where: Namespace; words: string[] } {
    if (program !== 'ip') throw new Error(`a recipe has only ip commands, not ${program ?? 'none'}`);
    const [subject, verb, name = '', ...rest] = words;
    if (subject === 'netns' && verb === 'exec') return this.#command(this.room(name), rest);
    return {
      where,
      words: words.map((word, index) => (words[index - 1] === 'netns' ? this.room(word).name : word)),
    };
  }

  async #add(name: string): Promise<void> {
    const room = this.host.name(`h${this.host.n}-${name}`);
    this.#rooms.set(name, room);
    await ip(room.record, ['netns', 'add', room.name]);
    // Duplicate address detection is a second or two, and no recipe's subject.
    await room.sysctl({ 'net/ipv6/conf/default/dad_transmits': 0 });
  }
}
