/**
 * A table of ours among the operator's. Ours has a chain that says so; a table of the same name without it is somebody
 * else's, stays as it is, and ours has another name.
 */
import { runNft } from './nft.ts';

/** Names that are tried, in this order; each look is for all of them. */
const SERIES = ['', '_2', '_3'];

/** Without a hook it does nothing. */
const MARK = 'made_by_missd';

export class OwnTable {
  readonly #path: string | null;
  readonly #base: string;
  readonly #predecessors: RegExp;
  readonly #family: 'bridge' | 'inet';

  /**
   * @param base its name, where nobody has that
   * @param predecessors what a table of this name has in it that a release made which did not mark its own
   * @param family of nftables
   */
  constructor(path: string | null, base: string, predecessors: RegExp, family: 'bridge' | 'inet' = 'bridge') {
    this.#family = family;
    this.#path = path;
    this.#base = base;
    this.#predecessors = predecessors;
  }

  /**
   * Puts this in the place of what was ours before, at once.
   * @param body chains and sets; absent for no table
   * @throws Error with nft's own words, or where every name is somebody else's
   */
  async replace(body: string | undefined): Promise<void> {
    const { ours, foreign } = await this.#look();
    const name = SERIES.map((end) => this.#base + end).find((one) => !foreign.has(one));
    if (body !== undefined && name === undefined)
      throw new Error(
        `table ${this.#family} ${this.#base} is somebody else's, and so are ${[...foreign].join(', ')}`,
      );
    const removals = ours.map((one) => `delete table ${this.#family} ${one}\n`);
    const made =
      body === undefined ? '' : `table ${this.#family} ${name ?? ''} {\n  chain ${MARK} { }\n${body}}\n`;
    if (removals.length > 0 || made !== '') await runNft(this.#path, removals.join('') + made);
  }

  /** @throws Error with nft's own words */
  async isThere(): Promise<boolean> {
    return (await this.#look()).ours.length > 0;
  }

  /** Named counters of ours, as nft lists them. @throws Error where there is no table of ours */
  async counters(): Promise<string> {
    const { ours } = await this.#look();
    const [name] = ours;
    if (name === undefined) throw new Error(`no table ${this.#family} ${this.#base} of missd`);
    return runNft(this.#path, `list counters table ${this.#family} ${name}\n`);
  }

  async #look(): Promise<{ ours: string[]; foreign: Set<string> }> {
    const present = namesIn(await runNft(this.#path, `list tables ${this.#family}\n`));
    const ours: string[] = [];
    const foreign = new Set<string>();
    for (const name of SERIES.map((end) => this.#base + end).filter((one) => present.has(one))) {
      const chains = await runNft(this.#path, `list table ${this.#family} ${name}\n`);
      if (chains.includes(`chain ${MARK} {`) || this.#predecessors.test(chains)) ours.push(name);
      else foreign.add(name);
    }
    return { ours, foreign };
  }
}

const namesIn = (listed: string): Set<string> =>
  new Set([...listed.matchAll(/^table \S+ (\S+)/gm)].map(([, name = '']) => name));
