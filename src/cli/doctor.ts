import { Command } from 'commander';
import { directoryWords } from '../config/again.ts';
import { declare, resolve } from '../config/options.ts';
import { redisTarget } from '../directory/redis/url.ts';
import { examine } from '../doctor/doctor.ts';
import { isBroken } from '../doctor/finding.ts';
import { render } from '../doctor/render.ts';
import { LinuxKernel } from '../kernel/linux.ts';
import { paletteFor } from '../screen/palette.ts';
import { say } from '../screen/say.ts';
import { widthOf } from '../screen/size.ts';
import { followGiven } from '../config/given.ts';

const HELP = `
Takes the options of missd run, and its --config, to examine what the daemon would serve. Changes nothing:
features of the kernel are tried in a network namespace that the command makes and removes.

Examples:
  missd doctor                                       this host, before missd run or while it runs
  missd doctor --config /etc/missd/missd.yaml        what the service is told to serve
  missd doctor --netns blue --redis redis://10.0.0.5
  missd doctor --json | jq '.findings[] | select(.level == "broken")'`;

export function doctorCommand(): Command {
  const command = declare(new Command('doctor'), 'doctor')
    .summary('what is wrong on this host, and how to fix it')
    .description(
      'Examines kernel, privileges, limits, devices, bridges, underlay, MTU, directory and daemon.\n' +
        'Exit code 1 when something is broken; warnings alone are none.',
    )
    .option('--json', 'the findings, for programs')
    .addHelpText('after', HELP);
  const given = followGiven(command);
  return command.action(async () => {
    const options = resolve(command, 'doctor');
    // An invalid address is a usage error, not a finding.
    if (options.directory === undefined) redisTarget(options);
    const findings = await examine(new LinuxKernel(), options, directoryWords(command, given));
    const broken = isBroken(findings);
    if (command.opts<{ json?: boolean }>().json === true)
      say(`${JSON.stringify({ broken, findings }, null, 2)}\n`);
    else say(render(findings, paletteFor(process.stdout), widthOf(process.stdout)));
    if (broken) process.exitCode = 1;
  });
}
