/** Examines the directory that the options name, Redis or a file: the server and the records. */
import { redisTarget } from '../directory/redis/url.ts';
import { RedisWriter } from '../directory/redis/writer.ts';
import { vtepAllowance } from '../directory/vtep-allow.ts';
import { reasonOf } from '../base/errors.ts';
import { sh } from '../screen/shell.ts';
import { type VtepRules, vtepRules } from '../links/vtep-rules.ts';
import type { Vni } from '../base/vocabulary.ts';
import { judgeClock } from './clock.ts';
import { judgeRedis } from './directory.ts';
import { type Finding, type Group, of } from './finding.ts';
import { judgeHosts, readHosts } from './hosts.ts';
import { judgeContradictions } from './owners.ts';
import { type Recorded, fileRecorded, scanRecorded } from './recorded.ts';
import { type Judged, judgeRecords } from './records.ts';
import { readRedis } from './redis.ts';
import type { Scene, Subject } from './scene.ts';

export type Look = (group: Group, act: () => Finding[] | Promise<Finding[]>) => Promise<void>;

/**
 * @param joined VNIs of the networks that the daemon of this host has joined
 * @returns the valid records
 */
export async function examineDirectory(
  scene: Scene,
  devices: readonly Subject[],
  look: Look,
  given: readonly string[],
  joined: readonly Vni[] = [],
): Promise<Judged[]> {
  const { options } = scene;
  let judged: Judged[] = [];
  const context = {
    rules: await rulesOf(devices),
    vtepAllow: vtepAllowance(options.vtepAllow),
  };
  const say = of('directory');
  if (options.directory !== undefined) {
    const file = options.directory;
    await look('directory', () => {
      let recorded: Recorded;
      try {
        recorded = fileRecorded(file);
      } catch (error) {
        return [
          say.broken(
            'file',
            reasonOf(error),
            'missd run refuses to start with it.',
            sh`missd endpoint import ${file}`,
          ),
        ];
      }
      const found = judgeRecords(recorded, context, options.keyPrefix, { file });
      judged = found.judged;
      return [
        say.ok('file', `${file} is well-formed`),
        ...found.findings,
        ...judged.flatMap(judgeContradictions),
      ];
    });
    return judged;
  }
  await look('directory', async () => {
    const target = redisTarget(options);
    const vni = devices[0]?.link.vxlan.vni ?? 1;
    const findings: Finding[] = [];
    try {
      await RedisWriter.use(target, options.keyPrefix, async (writer) => {
        const facts = await readRedis(writer, vni, options.broadcast.length > 0);
        findings.push(...judgeRedis(target, facts, options.keyPrefix), ...judgeClock(facts.clock));
        await look('records', async () => {
          const found = judgeRecords(
            await scanRecorded(writer, options.keyPrefix),
            context,
            options.keyPrefix,
            { target, given },
          );
          judged = found.judged;
          findings.push(...judged.flatMap(judgeContradictions));
          return found.findings;
        });
        const vnis = new Set([...joined, ...devices.map(({ link }) => link.vxlan.vni)]);
        for (const one of vnis)
          await look('records', async () =>
            judgeHosts(await readHosts(writer, one), joined.includes(one), target),
          );
      });
    } catch (error) {
      findings.push(...judgeRedis(target, reasonOf(error).replace(/^Redis: /, ''), options.keyPrefix));
    }
    return findings;
  });
  return judged;
}

/** The VTEP rules of each VNI, from its first device. Several devices of one VNI are a finding of their own. */
async function rulesOf(devices: readonly Subject[]): Promise<ReadonlyMap<Vni, VtepRules>> {
  const rules = new Map<Vni, VtepRules>();
  for (const { link, place } of devices)
    if (!rules.has(link.vxlan.vni)) rules.set(link.vxlan.vni, await vtepRules(place.kernel, link));
  return rules;
}
