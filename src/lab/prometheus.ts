/** A Prometheus server that scrapes the lab's daemons and evaluates missd's alert rules. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { RuntimeFailure } from '../base/errors.ts';
import { attempt } from './command.ts';
import { type Daemon, freePort } from './daemon.ts';
import type { Lab } from './lab.ts';
import type { Program } from './program.ts';

/** The path is the same from src/ and from dist/. */
const ALERTS = fileURLToPath(new URL('../../grafana/alerts.yaml', import.meta.url));

export interface Series {
  labels: Record<string, string>;
  /** Seconds since the epoch, value. */
  points: [at: number, value: number][];
}

export interface Alert {
  name: string;
  state: 'inactive' | 'pending' | 'firing';
  /** `ok`, or the error of the rule. */
  health: string;
}

/** A series of the HTTP API (prometheus.io/docs/prometheus/latest/querying/api). */
interface Sampled {
  metric: Record<string, string>;
  value?: [number, string];
  values?: [number, string][];
}

export class Prometheus {
  readonly url: string;
  readonly #program: Program;

  /** @throws RuntimeFailure that names the command to install it */
  static async mustBeInstalled(): Promise<void> {
    try {
      await attempt(['prometheus', '--version']);
    } catch {
      throw new RuntimeFailure('prometheus is not installed: apt-get install prometheus');
    }
  }

  /**
   * Resolves when every daemon has been scraped.
   * @param interval between two scrapes, a duration of Prometheus
   */
  static async start(lab: Lab, daemons: readonly Daemon[], interval = '1s'): Promise<Prometheus> {
    const directory = join(lab.directory, 'prometheus');
    mkdirSync(directory, { recursive: true });
    const config = join(directory, 'prometheus.yml');
    writeFileSync(config, stringify(configuration(daemons, interval)));
    const listen = `127.0.0.1:${await freePort()}`;
    const program = await lab.start([
      'prometheus',
      `--config.file=${config}`,
      `--storage.tsdb.path=${directory}`,
      `--web.listen-address=${listen}`,
      '--log.level=warn',
    ]);
    const prometheus = new Prometheus(program, `http://${listen}`);
    await program.until(
      'Prometheus to scrape',
      async () => {
        const up = await prometheus.query('up == 1').catch(() => []);
        return up.length === daemons.length;
      },
      { timeout: 30_000 },
    );
    return prometheus;
  }

  private constructor(program: Program, url: string) {
    this.#program = program;
    this.url = url;
  }

  /** @throws Error with the message of Prometheus for an invalid query */
  async query(expr: string): Promise<Series[]> {
    return this.#series('query', { query: expr });
  }

  /** @param from seconds since the epoch, as `to` @param step seconds */
  async range(expr: string, from: number, to: number, step: number): Promise<Series[]> {
    const [start, end] = [String(from), String(to)];
    return this.#series('query_range', { query: expr, start, end, step: String(step) });
  }

  async alerts(): Promise<Alert[]> {
    const { groups } = await this.#get<{
      groups: { rules: (Omit<Alert, 'health'> & { health: string; lastError?: string })[] }[];
    }>('rules', {});
    return groups.flatMap(({ rules }) =>
      rules.map(({ name, state, health, lastError }) => ({ name, state, health: lastError ?? health })),
    );
  }

  /** Types of the scraped metrics, by their names in the format of the scrape. */
  async types(): Promise<Record<string, string | undefined>> {
    const metadata = await this.#get<Record<string, { type: string }[]>>('metadata', {});
    return Object.fromEntries(Object.entries(metadata).map(([name, [first]]) => [name, first?.type]));
  }

  stop(): Promise<number | string> {
    return this.#program.stop();
  }

  async #series(path: string, parameters: Record<string, string>): Promise<Series[]> {
    const { result } = await this.#get<{ result: Sampled[] }>(path, parameters);
    return result.map(({ metric, value, values }) => ({
      labels: metric,
      points: (values ?? (value === undefined ? [] : [value])).map(([at, text]) => [at, numberOf(text)]),
    }));
  }

  async #get<T>(path: string, parameters: Record<string, string>): Promise<T> {
    const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`);
    const answer = (await response.json()) as { status: string; error?: string; data: T };
    if (answer.status !== 'success') throw new Error(`${parameters['query'] ?? path}: ${answer.error ?? ''}`);
    return answer.data;
  }
}

const numberOf = (text: string): number => Number(text.replace('Inf', 'Infinity'));

/** The label `instance` is the host, because the ports of the daemons are random. */
const configuration = (daemons: readonly Daemon[], interval: string) => ({
  global: { scrape_interval: interval, evaluation_interval: interval },
  rule_files: [ALERTS],
  scrape_configs: [
    {
      job_name: 'missd',
      static_configs: daemons.map(({ url }, index) => ({
        targets: [new URL(url).host],
        labels: { instance: `host${index + 1}` },
      })),
    },
  ],
});
