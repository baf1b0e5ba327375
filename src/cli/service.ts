import { existsSync, realpathSync } from 'node:fs';
import { Command } from 'commander';
import { declare, resolve } from '../config/options.ts';
import { RuntimeFailure } from '../base/errors.ts';
import { say } from '../screen/say.ts';
import { followGiven } from '../config/given.ts';
import { mustSuit, removeUnit, unitFor, writeUnit } from '../service/install.ts';
import { UNIT_FILE } from '../service/unit.ts';

/** Is there exactly where systemd is what the machine was started with (sd_booted(3)). */
const SYSTEMD = '/run/systemd/system';

export function serviceCommand(): Command {
  return new Command('service')
    .summary('missd as a service of this host, under systemd')
    .description('Installs missd as a service of this host under systemd, or removes it again.')
    .addHelpText('after', '\nExample:\n  missd service install --redis redis://10.0.0.5:6379')
    .addCommand(installCommand())
    .addCommand(uninstallCommand());
}

function installCommand(): Command {
  const command = declare(new Command('install'), 'run')
    .summary('writes the unit')
    .description(
      `Writes ${UNIT_FILE}, which runs missd with the options given here: those of \`missd run\`.\n` +
        'The unit has the fewest rights that these options need. The command starts nothing.',
    )
    .option('--print', 'print the unit instead')
    .addHelpText('after', '\nExample:\n  missd service install --redis redis://10.0.0.5:6379 --idle 600');
  const given = followGiven(command);
  return command.action(() => {
    const program = { node: process.execPath, main: realpathSync(process.argv[1] ?? '') };
    const options = resolve(command, 'run');
    const unit = unitFor(
      program,
      given.filter(({ name }) => name !== 'print'),
      options,
    );
    if (command.opts<{ print?: boolean }>().print === true) {
      say(unit);
      return;
    }
    mustBeSystemd('missd service install --print shows the unit');
    mustSuit(program, options);
    writeUnit(UNIT_FILE, unit);
    say(
      `wrote ${UNIT_FILE}; next:\n  systemctl daemon-reload\n  systemctl enable missd\n  systemctl restart missd\n`,
    );
  });
}

function uninstallCommand(): Command {
  return new Command('uninstall')
    .summary('removes the unit')
    .description(`Removes ${UNIT_FILE}. What missd wrote into the kernel stays until it is flushed.`)
    .addHelpText('after', '\nExample:\n  missd service uninstall')
    .action(() => {
      mustBeSystemd('there is no unit to remove');
      removeUnit(UNIT_FILE);
      say(
        `removed ${UNIT_FILE}; next:\n  systemctl stop missd\n  systemctl daemon-reload\n  missd flush   # to remove its entries as well\n`,
      );
    });
}

function mustBeSystemd(otherwise: string): void {
  if (!existsSync(SYSTEMD)) throw new RuntimeFailure(`this machine is not run by systemd; ${otherwise}`);
}
